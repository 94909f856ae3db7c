"""The server of the `vllm` backend: whether it is ready, why it is not, and what it answers."""

import errno
import os
import socket
import ssl
import time
from urllib.parse import urljoin

import requests
import urllib3

from . import address
from .address import ENDPOINT
from .answer import Fault, error_of, read
from .refusal import Refusal, first_lines

KEY = "VLLM_API_KEY"
KEY_PATH = "VLLM_API_KEY_PATH"
CERTIFICATES = "SSL_CERT_FILE"
WAIT = "AIENERGYSCORE_WAIT_FOR_ENDPOINT"
OPTION = "`--wait-for-endpoint SECONDS`"

# Seconds until a connection must stand, and until a small page must be there.
PATIENCE = 10
# Seconds between two looks at a server that starts, and between two words about it.
PAUSE, SILENCE = 2, 10
# Redirections that are followed.
HOPS = 3

# What a server answers that is there and does not work yet, or not now.
NOT_NOW = {429, 500, 502, 503, 504}
CLOSED = {401, 403}
REDIRECTED = {301, 302, 303, 307, 308}


class NotReady(Refusal):
    """A fault that time may cure, and what else may."""

    def __init__(self, why, cure=f"check {ENDPOINT}"):
        super().__init__(why)
        self.cure = cure


class Rejected(Fault):
    """The server took the request for a wrong one."""


class Server:
    """A server that speaks OpenAI's protocol."""

    def __init__(self, endpoint, key=None, patience=0.0):
        self.base = address.base(endpoint)
        self.patience, self._key = patience, key

    @classmethod
    def of_environment(cls, environment=os.environ):
        """The server that the environment names."""
        wait = environment.get(WAIT) or "0"
        if not wait.isdecimal():
            raise Refusal(f"{WAIT}={wait}: this is no whole number of seconds")
        return cls(environment.get(ENDPOINT, ""), _key(environment), float(wait))

    def ready(self, model):
        """Waits until the server has `model`, or says what is wrong."""
        began, said = time.monotonic(), None
        while True:
            try:
                return self._check(model)
            except NotReady as why:
                waited = time.monotonic() - began
                if waited >= self.patience:
                    after = f", still after {self.patience:.0f} s" if self.patience else ""
                    raise Refusal(f"{why}{after}; {why.cure}; {OPTION} waits for a slow start") from why
                if said is None or waited - said >= SILENCE:
                    said = waited
                    print(f"waiting ({waited:.0f} of {self.patience:.0f} s): {why}", flush=True)
                time.sleep(min(PAUSE, self.patience - waited))

    def _check(self, model):
        """Looks once: whether the server is there, speaks the protocol, lets us in, has the model."""
        has = self._models()
        if not has:
            raise NotReady(f"the server at {self.base} has no model yet")
        if model not in has:
            raise Refusal(
                f"the server at {self.base} has no model `{model}`; it has"
                f" {', '.join(f'`{name}`' for name in has)}"
            )
        # llama.cpp lists a model that it still loads. Others have no such page, or none that answers.
        try:
            health = self._get(f"{address.root(self.base)}/health")
        except Refusal:
            return
        if health.status_code == 503:
            raise NotReady(self._not_now(health))

    def _models(self):
        """The names of the server's models."""
        url = f"{self.base}/models"
        reply = self._get(url)
        for _ in range(HOPS):
            if reply.status_code not in REDIRECTED:
                break
            self._move(urljoin(url, reply.headers.get("Location", "")))
            url = f"{self.base}/models"
            reply = self._get(url)
        elsewhere = address.other(self.base)
        if elsewhere and (reply.status_code in (404, 405) or _names(reply) is None):
            below = self._get(f"{elsewhere}/models")
            if _names(below) is not None or below.status_code in NOT_NOW | CLOSED:
                self.base, reply = elsewhere, below
        status = reply.status_code
        if status in CLOSED:
            raise Refusal(self._closed(reply))
        if status in NOT_NOW:
            raise NotReady(self._not_now(reply))
        if status == 404:
            raise Refusal(
                f"the server at {self.base} is there, and has no page {url} (HTTP 404): {ENDPOINT} names"
                f" another path than that of its API, which mostly ends in {address.API}"
            )
        names = _names(reply)
        if names is None:
            kind = reply.headers.get("Content-Type", "no content type").split(";")[0]
            raise Refusal(
                f"what answers at {url} is no OpenAI-compatible server: it sent HTTP {status}, {kind},"
                f" instead of a list of models; check {ENDPOINT}"
            )
        return names

    def _move(self, target):
        """Follows a redirection, unless that would show the key to another host."""
        if not target.rstrip("/").endswith("/models"):
            raise Refusal(
                f"the server at {self.base} redirects to {target}, which is no page of the API; check"
                f" {ENDPOINT}"
            )
        moved = address.base(target)
        if self._key and _origin(moved) != _origin(self.base):
            raise Refusal(
                f"the server at {self.base} redirects to {moved}, and the API key is not for others; if"
                f" it is for that server, set {ENDPOINT}={moved}"
            )
        print(f"note: the server at {self.base} is at {moved}", flush=True)
        self.base = moved

    def _closed(self, reply):
        status = reply.status_code
        said = self._said(reply)
        if self._key:
            return f"the server at {self.base} does not take the API key (HTTP {status}{said}); check {KEY}"
        return (
            f"the server at {self.base} wants an API key (HTTP {status}{said}); set {KEY}, or name a file"
            f" with it in {KEY_PATH}"
        )

    def _not_now(self, reply):
        return f"the server at {self.base} is not ready: HTTP {reply.status_code}{self._said(reply)}"

    def _said(self, reply):
        """What the server says for a reason, without the key: some repeat it."""
        try:
            said = error_of(reply.json())
        except ValueError:
            plain = reply.headers.get("Content-Type", "").startswith("text/plain") and reply.text
            said = first_lines(plain) if plain else None
        return self.hide(f", {said}") if said else ""

    def hide(self, text):
        """A text without the key."""
        return text.replace(self._key, "***") if self._key else text

    def _get(self, url):
        try:
            with self._session() as session:
                return session.get(url, timeout=PATIENCE, allow_redirects=False)
        except requests.RequestException as error:
            raise self._unreachable(error) from error

    def ask(self, body, silence):
        """The answer to a request for a chat completion; a fault after `silence` s without a piece."""
        began = time.monotonic()
        url = f"{self.base}/chat/completions"
        try:
            with self._session() as session, session.post(
                url,
                json=body,
                stream=True,
                timeout=(PATIENCE, silence),
                allow_redirects=False,
                headers={"Accept": "text/event-stream, application/json"},
            ) as reply:
                if reply.status_code != 200:
                    said = self._said(reply)
                    fault = Rejected if reply.status_code in (400, 422, 501) else Fault
                    raise fault(f"HTTP {reply.status_code}{said}")
                framed = reply.raw.chunked or "Content-Length" in reply.headers
                return read(_chunks(reply.raw, silence), framed)
        except requests.ConnectTimeout as error:
            raise Fault(str(self._unreachable(error))) from error
        except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError) as error:
            raise Fault(
                f"the server was silent for {silence} s, {time.monotonic() - began:.0f} s after the request"
            ) from error
        except requests.RequestException as error:
            raise Fault(str(self._unreachable(error))) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Fault(f"the connection broke in the middle of the answer: {first_lines(error)}") from error
        except Fault as fault:
            raise type(fault)(self.hide(str(fault))) from None

    def _session(self):
        session = requests.Session()
        # Between this machine and itself a proxy can only be in the way.
        session.trust_env = not address.is_near(self.base)
        # Set by hand: passwords of a `.netrc` would be sent in its place.
        session.auth = self._sign
        certificates = os.environ.get(CERTIFICATES)
        if certificates and self.base.startswith("https") and not os.path.exists(certificates):
            raise Refusal(f"{CERTIFICATES}={certificates}: this is no file of certificates")
        session.verify = certificates or True
        # A connection that is kept may be gone when the next prompt comes.
        session.headers.update({"Connection": "close", "Accept-Encoding": "identity"})
        return session

    def _sign(self, request):
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request

    def _unreachable(self, error):
        """What is wrong with the way to the server."""
        where, causes = f"no server answers at {self.base}", list(_causes(error))
        secure = self.base.startswith("https")
        of = lambda *kinds: next((cause for cause in causes if isinstance(cause, kinds)), None)
        if isinstance(error, requests.exceptions.SSLError):
            why = first_lines(of(ssl.SSLError) or error)
            if of(ssl.SSLCertVerificationError):
                return Refusal(
                    f"the certificate of the server at {self.base} is not trusted ({why}); name the file of"
                    f" its authority in {CERTIFICATES}"
                )
            return Refusal(
                f"the server at {self.base} does not speak TLS ({why}); try http:// in {ENDPOINT}"
            )
        if isinstance(error, requests.exceptions.ProxyError):
            return Refusal(f"{where}: the proxy does not reach it ({first_lines(error)}); set NO_PROXY")
        if of(urllib3.exceptions.NameResolutionError, socket.gaierror):
            known = f"; --add-host {address.GATEWAY}:host-gateway makes it known to a container"
            cure = known if address.GATEWAY in self.base else ""
            return NotReady(f"{where}: its name cannot be resolved", f"check {ENDPOINT}{cure}")
        if of(ConnectionRefusedError):
            return NotReady(f"{where}: connection refused", self._cure_of_refusal())
        if isinstance(error, requests.ConnectTimeout) and not secure:
            return NotReady(f"{where}: no connection within {PATIENCE} s, as with a firewall between")
        if isinstance(error, requests.Timeout):
            tls = f"; if it speaks no TLS, use http:// in {ENDPOINT}" if secure else ""
            return NotReady(f"{where}: it was silent for {PATIENCE} s", f"look at its log{tls}")
        system = next((cause.errno for cause in causes if isinstance(cause, OSError) and cause.errno), None)
        if system in (errno.ENETUNREACH, errno.EHOSTUNREACH):
            return NotReady(f"{where}: {os.strerror(system).lower()}")
        return NotReady(f"{where}: the connection was closed without a word", "look at its log")

    def _cure_of_refusal(self):
        if address.is_own(self.base):
            return (
                f"in a container localhost is the container itself, and this machine is {address.GATEWAY}"
            )
        if address.GATEWAY in self.base:
            return (
                f"check {ENDPOINT}, and that the server listens on more than its own loopback, as with"
                " `--host 0.0.0.0`"
            )
        return f"check {ENDPOINT}"


def _key(environment):
    """The key of the server, from a variable or a file."""
    key = environment.get(KEY, "").strip()
    path = environment.get(KEY_PATH)
    if not key and path:
        try:
            with open(path, encoding="utf-8") as file:
                key = file.read().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Refusal(f"the API key in `{path}`, named by {KEY_PATH}, cannot be read: {error}") from error
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise Refusal("the API key holds what no key has, such as a blank or a line feed; check its file")
    return key or None


def _names(reply):
    """The models in a list of them; none if it is no such list."""
    try:
        body = reply.json() if reply.status_code == 200 else None
    except ValueError:
        return None
    # Ollama has `null` for none, Together no object around the list.
    models = (body["data"] or []) if isinstance(body, dict) and "data" in body else body
    if not isinstance(models, list):
        return None
    return [model["id"] for model in models if isinstance(model, dict) and isinstance(model.get("id"), str)]


def _origin(url):
    parts = requests.compat.urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _causes(error):
    """An exception and all that it stands for: libraries wrap them as reasons and arguments."""
    seen, rest = set(), [error]
    while rest:
        cause = rest.pop()
        if id(cause) in seen or not isinstance(cause, BaseException):
            continue
        seen.add(id(cause))
        yield cause
        rest += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]


def _chunks(raw, silence):
    """A response's bytes as they come; a server that only keeps the connection alive is silent."""
    heard = time.monotonic()
    while True:
        chunk = raw.read1(65536, decode_content=True)
        if not chunk:
            return
        if any(line and not line.startswith(b":") for line in chunk.split(b"\n")):
            heard = time.monotonic()
        if time.monotonic() - heard > silence:
            raise TimeoutError
        yield chunk
