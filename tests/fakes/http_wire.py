"""What the scripted servers share: a listener on a free loopback port, a thread a connection, and HTTP/1.1 read from
raw sockets, so that a test sees every byte that was sent and may answer with any byte it likes."""

import socket
import ssl
import threading
import time
from dataclasses import dataclass, field


class Gone(Exception):
    """The other side closed the connection."""


@dataclass
class Request:
    method: str
    target: str
    version: str
    headers: list  # of (name, value), as received
    raw_head: bytes
    time: float = field(default_factory=time.monotonic)
    body: bytes = b""

    def header(self, name):
        """First value, the name compared without case; None where it is absent."""
        return next(iter(self.header_values(name)), None)

    def header_values(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def path(self):
        return self.target.split("?", 1)[0]

    @property
    def bearer(self):
        """The token of `Authorization`, or None."""
        scheme, _, token = (self.header("Authorization") or "").partition(" ")
        return token if scheme.lower() == "bearer" else None


class Wire:
    """One connection, with what was read ahead kept."""

    def __init__(self, connection):
        self.connection = connection
        self.buffer = b""

    def fill(self):
        try:
            more = self.connection.recv(65536)
        except (ConnectionError, ssl.SSLError) as error:
            raise Gone from error
        if not more:
            raise Gone
        self.buffer += more

    def read_until(self, end):
        while end not in self.buffer:
            self.fill()
        text, _, self.buffer = self.buffer.partition(end)
        return text + end

    def read_exactly(self, size):
        while len(self.buffer) < size:
            self.fill()
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def read_request_head(self):
        raw = self.read_until(b"\r\n\r\n")
        lines = raw.decode("latin-1").split("\r\n")
        method, target, version = lines[0].split(" ")
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:] if line]
        return Request(method, target, version, headers, raw)

    def body_pieces(self, request):
        """The body as it arrives, its framing removed."""
        if (request.header("Transfer-Encoding") or "").lower() == "chunked":
            while size := int(self.read_until(b"\r\n"), 16):
                yield self.read_exactly(size)
                self.read_exactly(2)
            while self.read_until(b"\r\n") != b"\r\n":
                pass
            return
        left = int(request.header("Content-Length") or 0)
        while left:
            if not self.buffer:
                self.fill()
            piece, self.buffer = self.buffer[:left], self.buffer[left:]
            left -= len(piece)
            yield piece

    def send(self, data):
        try:
            self.connection.sendall(data)
        except OSError as error:
            raise Gone from error

    def respond(self, status, headers=(), body=b"", reason="Status"):
        head = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
        if not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in headers):
            head.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body)

    def peer_has_closed(self, timeout):
        """Waits until the other side closes, up to `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            self.connection.settimeout(left)
            try:
                if not self.connection.recv(65536):
                    return True
            except TimeoutError:
                return False
            except OSError:
                return True
        return False


class LoopbackServer:
    """Calls `serve(wire, request)` for every request head; a false result closes the connection."""

    def __init__(self, certificate=None, authority=None):
        """`certificate` turns TLS on; certificates of `authority` are then asked for, and their absence is accepted."""
        self.requests = []
        self.connections = 0
        self.stopping = threading.Event()
        self._open = set()
        self._lock = threading.Lock()
        self._tls = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate.certificate, certificate.key)
        if authority:
            self._tls.verify_mode = ssl.CERT_OPTIONAL
            self._tls.load_verify_locations(authority.certificate)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def origin(self):
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def close(self):
        self.stopping.set()
        self._listener.close()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(connection)
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection):
        plain = connection
        try:
            connection.settimeout(30)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            wire = Wire(connection)
            while not self.stopping.is_set():
                request = wire.read_request_head()
                if not self.serve(wire, request):
                    break
        except (Gone, OSError, ValueError):
            pass
        finally:
            with self._lock:
                self._open.discard(plain)
            connection.close()
            plain.close()
