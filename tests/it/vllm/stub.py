"""A server whose every byte a check decides."""

import json
import socket
import threading


class Asked:
    """One request."""

    def __init__(self, connection):
        text = b""
        while b"\r\n\r\n" not in text:
            text += connection.recv(65536) or b"\r\n\r\n"
        head, _, body = text.partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        self.method, self.path, _ = (first + "  ").split(" ", 2)
        pairs = (line.partition(":") for line in rest)
        self.headers = {name.lower(): value.strip() for name, _, value in pairs}
        while len(body) < int(self.headers.get("content-length", 0)):
            body += connection.recv(65536)
        self.body = json.loads(body) if body else None
        self.connection = connection

    def send(self, *parts):
        """Sends bytes as they are."""
        for part in parts:
            self.connection.sendall(part)

    def reply(self, body, status=200, kind="application/json", headers=()):
        """A whole response."""
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]
        self.send("\r\n".join([*lines, "Connection: close", "", ""]).encode(), body)

    def stream(self, *parts, end=b"0\r\n\r\n"):
        """A response in chunks, one for each part."""
        self.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.send(*(b"%x\r\n%s\r\n" % (len(part), part) for part in parts), end)


class Stub:
    """Answers each request with `answer`, until it is left."""

    def __init__(self, answer, host="127.0.0.1", family=socket.AF_INET, tls=None):
        self.answer, self.asked, self.tls = answer, [], tls
        self.socket = socket.socket(family)
        self.socket.bind((host, 0))
        self.socket.listen()
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=[connection], daemon=True).start()

    def _one(self, connection):
        with connection:
            try:
                if self.tls:
                    connection = self.tls.wrap_socket(connection, server_side=True)
                asked = Asked(connection)
                self.asked.append(asked)
                self.answer(asked)
            except OSError:
                # The client went, or does not trust us.
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # A thread that waits for a connection would keep the port.
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    @property
    def url(self):
        """Its address."""
        return f"http://127.0.0.1:{self.port}/v1"
