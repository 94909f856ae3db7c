"""Why a server cannot be reached, and what to do."""

import errno
import os
import socket
import ssl

import requests
import urllib3

from .endpoint import GATEWAY, is_loopback
from .environment import CERTIFICATES, ENDPOINT
from .errors import UserError, first_lines


class NotReady(UserError):
    """A fault that may go away by itself, with a hint in case it does not."""

    def __init__(self, why, hint=f"check {ENDPOINT}"):
        super().__init__(why)
        self.hint = hint


def explain_connection_error(url, error, timeout):
    """The `UserError` for an exception of requests, at a server with the base URL `url`."""
    where, causes = f"no server answers at {url}", list(_causes(error))
    secure = url.startswith("https")
    cause_of = lambda *kinds: next((cause for cause in causes if isinstance(cause, kinds)), None)
    if isinstance(error, requests.exceptions.SSLError):
        why = first_lines(cause_of(ssl.SSLError) or error)
        if cause_of(ssl.SSLCertVerificationError):
            return UserError(
                f"the certificate of the server at {url} is not trusted ({why}); name the file of"
                f" its authority in {CERTIFICATES}"
            )
        return UserError(f"the server at {url} does not speak TLS ({why}); try http:// in {ENDPOINT}")
    if isinstance(error, requests.exceptions.ProxyError):
        return UserError(f"{where}: the proxy does not reach it ({first_lines(error)}); set NO_PROXY")
    if cause_of(urllib3.exceptions.NameResolutionError, socket.gaierror):
        gateway = f"; --add-host {GATEWAY}:host-gateway makes it known to a container"
        hint = f"check {ENDPOINT}{gateway if GATEWAY in url else ''}"
        return NotReady(f"{where}: its name cannot be resolved", hint)
    if cause_of(ConnectionRefusedError):
        return NotReady(f"{where}: connection refused", _refused_hint(url))
    if isinstance(error, requests.ConnectTimeout) and not secure:
        return NotReady(f"{where}: no connection within {timeout} s, as with a firewall between")
    if isinstance(error, requests.Timeout):
        tls = f"; if it speaks no TLS, use http:// in {ENDPOINT}" if secure else ""
        return NotReady(f"{where}: it was silent for {timeout} s", f"look at its log{tls}")
    code = next((cause.errno for cause in causes if isinstance(cause, OSError) and cause.errno), None)
    if code in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return NotReady(f"{where}: {os.strerror(code).lower()}")
    return NotReady(f"{where}: the connection was closed without a word", "look at its log")


def _refused_hint(url):
    if is_loopback(url):
        return f"in a container localhost is the container itself, and this machine is {GATEWAY}"
    if GATEWAY in url:
        return (
            f"check {ENDPOINT}, and that the server listens on more than its own loopback, as with"
            " `--host 0.0.0.0`"
        )
    return f"check {ENDPOINT}"


def _causes(error):
    """An exception and all those it wraps: libraries keep them as reasons and arguments, too."""
    seen, rest = set(), [error]
    while rest:
        cause = rest.pop()
        if id(cause) in seen or not isinstance(cause, BaseException):
            continue
        seen.add(id(cause))
        yield cause
        rest += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
