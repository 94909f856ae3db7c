"""The address of a server: what `VLLM_ENDPOINT` may say, and what it comes to."""

import ipaddress
from urllib.parse import urlsplit

from .refusal import Refusal

ENDPOINT = "VLLM_ENDPOINT"
EXAMPLE = "http://host.docker.internal:8000/v1"

# The host's own name inside a container.
GATEWAY = "host.docker.internal"
API = "/v1"

# What a copied address may end in: the two pages of the API that are used.
PAGES = ["/chat/completions", "/models"]


def base(endpoint):
    """The address that the API's pages are below, as OpenAI's own clients have it.

    Without a path that is `/v1`, where every server has it; another path stays as it is.
    """
    text = endpoint.strip().rstrip("/")
    for page in PAGES:
        text = text.removesuffix(page)
    if not text.startswith(("http://", "https://")):
        raise Refusal(
            f"{ENDPOINT}={endpoint}: this is no address; it begins with http:// or https://, as in"
            f" {EXAMPLE}"
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise Refusal(f"{ENDPOINT}={endpoint}: this is no address ({error}); as in {EXAMPLE}") from error
    if parts.username is not None or parts.password is not None:
        # The text itself is not repeated: it may hold a secret.
        raise Refusal(
            f"{ENDPOINT} holds a user or a password, which logs and reports would show; leave it out,"
            " and give an API key in VLLM_API_KEY"
        )
    if not parts.hostname or port == 0 or parts.query or parts.fragment:
        raise Refusal(
            f"{ENDPOINT}={endpoint}: this is no address of a server; it has a host, a port and a path"
            f" at most, as in {EXAMPLE}"
        )
    return text if parts.path else f"{text}{API}"


def other(address):
    """Where the API is instead, if it is not below the path that was given."""
    return None if address.endswith(API) else f"{address}{API}"


def root(address):
    """The address that pages beside the API are below, such as that of a server's health."""
    return address.removesuffix(API)


def is_own(address):
    """Whether it is the loopback: inside of a container that is the container itself."""
    host = urlsplit(address).hostname
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return number.is_loopback or number.is_unspecified


def is_near(address):
    """Whether no proxy is between: this machine, or one of the same network."""
    host = urlsplit(address).hostname
    try:
        return is_own(address) or ipaddress.ip_address(host).is_private
    except ValueError:
        return host == GATEWAY
