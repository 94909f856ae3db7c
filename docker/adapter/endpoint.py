"""Validates and normalizes the address of a server, `VLLM_ENDPOINT`."""

import ipaddress
from urllib.parse import urlsplit

from .environment import API_KEY, ENDPOINT
from .errors import UserError

EXAMPLE = "http://host.docker.internal:8000/v1"

# The name of the host inside a container.
GATEWAY = "host.docker.internal"
API = "/v1"

# Pages of the API, which users copy along with the address.
PAGES = ["/chat/completions", "/models"]


def base_url(endpoint):
    """The base URL of the API, as OpenAI's own clients have it.

    An address without a path gets `/v1`. Another path stays as it is.
    """
    text = endpoint.strip().rstrip("/")
    for page in PAGES:
        text = text.removesuffix(page)
    if not text.startswith(("http://", "https://")):
        raise UserError(
            f"{ENDPOINT}={endpoint}: this is no address; it begins with http:// or https://, as in"
            f" {EXAMPLE}"
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise UserError(f"{ENDPOINT}={endpoint}: this is no address ({error}); as in {EXAMPLE}") from error
    if parts.username is not None or parts.password is not None:
        # The message must not show the password.
        raise UserError(
            f"{ENDPOINT} holds a user or a password, which logs and reports would show; leave it out,"
            f" and give an API key in {API_KEY}"
        )
    if not parts.hostname or port == 0 or parts.query or parts.fragment:
        raise UserError(
            f"{ENDPOINT}={endpoint}: this is no address of a server; it has a host, a port and a path"
            f" at most, as in {EXAMPLE}"
        )
    return text if parts.path else f"{text}{API}"


def with_api_path(url):
    """The base URL with `/v1` added, or None if it ends in that already."""
    return None if url.endswith(API) else f"{url}{API}"


def without_api_path(url):
    """The URL that pages outside the API are below, such as `/health`."""
    return url.removesuffix(API)


def is_loopback(url):
    """Whether the host is the loopback, which inside a container is the container itself."""
    host = urlsplit(url).hostname
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified


def is_local(url):
    """Whether the server is on this machine or in its private network, where no proxy is needed."""
    host = urlsplit(url).hostname
    try:
        return is_loopback(url) or ipaddress.ip_address(host).is_private
    except ValueError:
        return host == GATEWAY
