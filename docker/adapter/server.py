"""The server of the `vllm` backend: waits until it is ready, and sends it requests."""

import os
import time
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from . import endpoint
from .completion import RequestError, error_message, parse
from .connection_errors import NotReady, explain_connection_error
from .environment import API_KEY, API_KEY_PATH, CERTIFICATES, ENDPOINT
from .errors import UserError, first_lines, quoted_list

OPTION = "`--wait-for-endpoint SECONDS`"

# Seconds to connect, and to get a small page.
TIMEOUT = 10
# Seconds between two checks of a server that starts, and between two messages about it.
CHECK_INTERVAL, MESSAGE_INTERVAL = 2, 10
MAX_REDIRECTS = 3

# Status codes of a server that may become ready.
UNAVAILABLE = {429, 500, 502, 503, 504}
UNAUTHORIZED = {401, 403}
REDIRECTS = {301, 302, 303, 307, 308}
REJECTED = {400, 422, 501}


class RequestRejected(RequestError):
    """A request with a field that the server does not support."""


class Server:
    """An OpenAI-compatible server."""

    def __init__(self, address, api_key=None, patience=0.0, certificates=None):
        self.base_url = endpoint.base_url(address)
        self.api_key, self.patience, self.certificates = api_key, patience, certificates

    @classmethod
    def from_environment(cls, environment):
        """The server that the environment variables name."""
        patience = environment.wait_seconds()
        return cls(environment.endpoint, environment.api_key(), patience, environment.certificates)

    def wait_until_ready(self, model):
        """Waits until the server serves `model`."""
        began, printed = time.monotonic(), None
        while True:
            try:
                return self._check(model)
            except NotReady as why:
                waited = time.monotonic() - began
                if waited >= self.patience:
                    after = f", still after {self.patience:.0f} s" if self.patience else ""
                    raise UserError(f"{why}{after}; {why.hint}; {OPTION} waits for a slow start") from why
                if printed is None or waited - printed >= MESSAGE_INTERVAL:
                    printed = waited
                    print(f"waiting ({waited:.0f} of {self.patience:.0f} s): {why}", flush=True)
                time.sleep(min(CHECK_INTERVAL, self.patience - waited))

    def _check(self, model):
        """Checks once whether the server is reachable, accepts the API key and serves the model."""
        models = self._models()
        if not models:
            raise NotReady(f"the server at {self.base_url} has no model yet")
        if model not in models:
            raise UserError(
                f"the server at {self.base_url} has no model `{model}`; it has {quoted_list(models)}"
            )
        # llama.cpp lists a model that it is still loading. Some servers have no such page.
        try:
            health = self._get(f"{endpoint.without_api_path(self.base_url)}/health")
        except UserError:
            return
        if health.status_code == 503:
            raise NotReady(self._unavailable(health))

    def _models(self):
        """The names of the server's models."""
        url = f"{self.base_url}/models"
        reply = self._get(url)
        for _ in range(MAX_REDIRECTS):
            if reply.status_code not in REDIRECTS:
                break
            self._redirect(urljoin(url, reply.headers.get("Location", "")))
            url = f"{self.base_url}/models"
            reply = self._get(url)
        below = endpoint.with_api_path(self.base_url)
        if below and (reply.status_code in (404, 405) or _model_names(reply) is None):
            other = self._get(f"{below}/models")
            if _model_names(other) is not None or other.status_code in UNAVAILABLE | UNAUTHORIZED:
                self.base_url, reply = below, other
        status = reply.status_code
        if status in UNAUTHORIZED:
            raise UserError(self._unauthorized(reply))
        if status in UNAVAILABLE:
            raise NotReady(self._unavailable(reply))
        if status == 404:
            raise UserError(
                f"the server at {self.base_url} is there, and has no page {url} (HTTP 404): {ENDPOINT} names"
                f" another path than that of its API, which mostly ends in {endpoint.API}"
            )
        names = _model_names(reply)
        if names is None:
            kind = reply.headers.get("Content-Type", "no content type").split(";")[0]
            raise UserError(
                f"what answers at {url} is no OpenAI-compatible server: it sent HTTP {status}, {kind},"
                f" instead of a list of models; check {ENDPOINT}"
            )
        return names

    def _redirect(self, target):
        """Follows a redirect, unless that would send the API key to another host."""
        if not target.rstrip("/").endswith("/models"):
            raise UserError(
                f"the server at {self.base_url} redirects to {target}, which is no page of the API; check"
                f" {ENDPOINT}"
            )
        moved = endpoint.base_url(target)
        if self.api_key and _origin(moved) != _origin(self.base_url):
            raise UserError(
                f"the server at {self.base_url} redirects to {moved}, and the API key is not for others; if"
                f" it is for that server, set {ENDPOINT}={moved}"
            )
        print(f"note: the server at {self.base_url} is at {moved}", flush=True)
        self.base_url = moved

    def _unauthorized(self, reply):
        why = f"(HTTP {reply.status_code}{self._error_message(reply)})"
        if self.api_key:
            return f"the server at {self.base_url} does not take the API key {why}; check {API_KEY}"
        return (
            f"the server at {self.base_url} wants an API key {why}; set {API_KEY}, or name a file"
            f" with it in {API_KEY_PATH}"
        )

    def _unavailable(self, reply):
        message = self._error_message(reply)
        return f"the server at {self.base_url} is not ready: HTTP {reply.status_code}{message}"

    def _error_message(self, reply):
        """The server's error message, after a comma."""
        try:
            message = error_message(reply.json())
        except ValueError:
            plain = reply.headers.get("Content-Type", "").startswith("text/plain") and reply.text
            message = first_lines(plain) if plain else None
        return self._redact(f", {message}") if message else ""

    def _redact(self, text):
        """A text without the API key, which some servers repeat in messages."""
        return text.replace(self.api_key, "***") if self.api_key else text

    def _get(self, url):
        try:
            with self._session() as session:
                return session.get(url, timeout=TIMEOUT, allow_redirects=False)
        except requests.RequestException as error:
            raise explain_connection_error(self.base_url, error, TIMEOUT) from error

    def ask(self, body, timeout):
        """Requests a chat completion. Fails after `timeout` seconds without data."""
        began = time.monotonic()
        url = f"{self.base_url}/chat/completions"
        try:
            with self._session() as session, session.post(
                url,
                json=body,
                stream=True,
                timeout=(TIMEOUT, timeout),
                allow_redirects=False,
                headers={"Accept": "text/event-stream, application/json"},
            ) as reply:
                if reply.status_code != 200:
                    kind = RequestRejected if reply.status_code in REJECTED else RequestError
                    raise kind(f"HTTP {reply.status_code}{self._error_message(reply)}")
                has_length = reply.raw.chunked or "Content-Length" in reply.headers
                return parse(_chunks(reply.raw, timeout), has_length)
        except requests.ConnectTimeout as error:
            raise RequestError(str(explain_connection_error(self.base_url, error, TIMEOUT))) from error
        except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError) as error:
            raise RequestError(
                f"the server was silent for {timeout} s, {time.monotonic() - began:.0f} s after the request"
            ) from error
        except requests.RequestException as error:
            raise RequestError(str(explain_connection_error(self.base_url, error, TIMEOUT))) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise RequestError(
                f"the connection broke in the middle of the answer: {first_lines(error)}"
            ) from error
        except RequestError as error:
            raise type(error)(self._redact(str(error))) from None

    def _session(self):
        session = requests.Session()
        session.trust_env = not endpoint.is_local(self.base_url)
        # requests would otherwise send a password from `.netrc` instead of the API key.
        session.auth = self._authorize
        certificates = self.certificates
        if certificates and self.base_url.startswith("https") and not os.path.exists(certificates):
            raise UserError(f"{CERTIFICATES}={certificates}: this is no file of certificates")
        session.verify = certificates or True
        # The server may close an idle connection before the next prompt.
        session.headers.update({"Connection": "close", "Accept-Encoding": "identity"})
        return session

    def _authorize(self, request):
        if self.api_key:
            request.headers["Authorization"] = f"Bearer {self.api_key}"
        return request


def _model_names(reply):
    """The names in a list of models. None if the reply is no such list."""
    try:
        body = reply.json() if reply.status_code == 200 else None
    except ValueError:
        return None
    # Ollama sends `null` for an empty list. Together sends a list without an object around it.
    models = (body["data"] or []) if isinstance(body, dict) and "data" in body else body
    if not isinstance(models, list):
        return None
    return [model["id"] for model in models if isinstance(model, dict) and isinstance(model.get("id"), str)]


def _origin(url):
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _chunks(raw, timeout):
    """The bytes of a response as they arrive. Keep-alive comments do not extend the timeout."""
    last_data = time.monotonic()
    while True:
        chunk = raw.read1(65536, decode_content=True)
        if not chunk:
            return
        if any(line and not line.startswith(b":") for line in chunk.split(b"\n")):
            last_data = time.monotonic()
        if time.monotonic() - last_data > timeout:
            raise TimeoutError
        yield chunk
