"""HTTP/1.1 over the daemon's Unix socket, written down to the bytes: tests can send what no HTTP library would."""

import ctypes
import json
import os
import select
import platform
import socket
import threading
from dataclasses import dataclass

default_timeout = 20


class BrokenOff(Exception):
    """The daemon closed the connection before the response was complete."""

    def __init__(self, received):
        super().__init__(f"broken off after {received[:200]!r}")
        self.received = received


@dataclass
class Response:
    status: int
    headers: list  # of (name, value)
    body: bytes
    version: str = "HTTP/1.1"

    def header(self, name):
        return next(iter(self.header_values(name)), None)

    def header_values(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def json(self):
        return json.loads(self.body)

    @property
    def token(self):
        assert self.status == 200, self
        return self.json()["access_token"]

    @property
    def code(self):
        """The code of a problem document, None where the response is none."""
        if (self.header("Content-Type") or "").startswith("application/problem+json"):
            return self.json()["code"]
        return None


# The calls of the raw kernel interface change the calling thread alone, unlike those of libc and Python.
_calls = {"x86_64": {"setresuid": 117, "setresgid": 119, "setgroups": 116},
          "aarch64": {"setresuid": 147, "setresgid": 149, "setgroups": 159}}


def _become(uid, gid, groups):
    numbers = _calls[platform.machine()]
    libc = ctypes.CDLL(None, use_errno=True)
    keep = ctypes.c_long(-1)

    def call(name, *arguments):
        if libc.syscall(ctypes.c_long(numbers[name]), *arguments) != 0:
            raise OSError(ctypes.get_errno(), name)

    call("setgroups", ctypes.c_long(len(groups)), (ctypes.c_uint32 * max(len(groups), 1))(*groups))
    call("setresgid", keep, ctypes.c_long(gid), keep)
    call("setresuid", keep, ctypes.c_long(uid), keep)


def connect(path, timeout=default_timeout, uid=None, gid=None, groups=()):
    """A connected socket; as another user where `uid` is given, which takes root."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    failure = []

    def run():
        try:
            if uid is not None:
                _become(uid, uid if gid is None else gid, list(groups))
            connection.connect(str(path))
        except OSError as error:
            failure.append(error)

    if uid is None:
        run()
    else:  # a thread of its own, which ends with the identity it took on
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    if failure:
        connection.close()
        raise failure[0]
    return connection


class Connection:
    """A kept-alive connection to the daemon."""

    def __init__(self, path, **options):
        self.socket = connect(path, **options)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def request(self, method, target, headers=(), body=b"", host="localhost", **reading):
        self.send_request(method, target, headers, body, host)
        return self.read_response(method, **reading)

    def send_request(self, method, target, headers=(), body=b"", host="localhost"):
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
        framed = any(name.lower() in ("content-length", "transfer-encoding") for name, _ in headers)
        if body and not framed:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    def fill(self):
        try:
            more = self.socket.recv(1 << 16)
        except ConnectionResetError:
            more = b""
        if not more:
            raise BrokenOff(self.buffer)
        self.buffer += more

    def read_until(self, end):
        while end not in self.buffer:
            self.fill()
        taken, _, self.buffer = self.buffer.partition(end)
        return taken + end

    def read_exactly(self, size):
        pieces, left = [], size
        while left:
            if not self.buffer:
                try:
                    self.fill()
                except BrokenOff:
                    raise BrokenOff(b"".join(pieces)) from None
            pieces.append(self.buffer[:left])
            left -= len(pieces[-1])
            self.buffer = self.buffer[len(pieces[-1]):]
        return b"".join(pieces)

    def read_head(self):
        head = self.read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, *_ = head[0].split(" ")
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in head[1:] if line]
        return Response(int(status), headers, b"", version)

    def read_chunk(self):
        """One chunk of a chunked body; empty at its end."""
        size = int(self.read_until(b"\r\n"), 16)
        if size == 0:
            while self.read_until(b"\r\n") != b"\r\n":
                pass
            return b""
        chunk = self.read_exactly(size)
        self.read_until(b"\r\n")
        return chunk

    def read_response(self, method="GET", keep_body=True):
        """The final response. Without `keep_body` the body is `b""` and its size in `body_size`."""
        response = self.read_head()
        while response.status < 200 and response.status != 101:
            response = self.read_head()
        if method == "HEAD" or response.status in (204, 304):
            return response
        if (response.header("Transfer-Encoding") or "").lower() == "chunked":
            pieces = iter(self.read_chunk, b"")
        elif (length := response.header("Content-Length")) is not None:
            pieces = self._fixed(int(length))
        else:
            pieces = self._until_close()
        kept, size = [], 0
        for piece in pieces:
            size += len(piece)
            if keep_body:
                kept.append(piece)
        response.body, response.body_size = b"".join(kept), size
        return response

    def _fixed(self, left):
        while left:
            if not self.buffer:
                self.fill()
            piece, self.buffer = self.buffer[:left], self.buffer[left:]
            left -= len(piece)
            yield piece

    def _until_close(self):
        while True:
            if self.buffer:
                piece, self.buffer = self.buffer, b""
                yield piece
            try:
                self.fill()
            except BrokenOff:
                return

    def is_silent(self, seconds=0.2):
        """Whether nothing arrives for so long."""
        return not self.buffer and not select.select([self.socket], [], [], seconds)[0]

    def is_closed(self, timeout=default_timeout):
        """Whether the daemon closes the connection within `timeout`, without sending anything more."""
        self.socket.settimeout(timeout)
        try:
            return not self.buffer and self.socket.recv(1) == b""
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True


def has_root():
    return os.geteuid() == 0
