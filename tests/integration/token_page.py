"""Reads token pages with nothing but docs/token-page.md: what a client library in another language would do."""

import json
import mmap
import os
import socket
import struct
import time

from local_http import connect

EMPTY, OPEN, CLOSED = 0, 1, 2
head = struct.Struct("=8sII4q4I")


class Page:
    """The answer of a page route, and what came with its first byte."""

    def __init__(self, status, document, descriptor):
        self.status, self.document, self.descriptor = status, document, descriptor
        self.memory = None
        if descriptor is not None:
            self.memory = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
            (magic, self.version, _, self.obtained, self.expires, self.expires_at, self.min_valid,
             *self.sizes) = head.unpack_from(self.memory)
            assert magic == b"grantdpg" and self.version == 1

    @property
    def state(self):
        return struct.unpack_from("=I", self.memory, 12)[0]

    def parts(self):
        """Type, token, scope, version; None where the page is closed."""
        before = self.state
        kind, token, scope, version = self.sizes
        text = self.memory[head.size:head.size + kind + 1 + token + scope + version].decode("latin-1")
        if before != OPEN or self.state != OPEN:
            return None
        assert text[kind] == " "
        token_end = kind + 1 + token
        return text[:kind], text[kind + 1:token_end], text[token_end:token_end + scope], text[token_end + scope:]

    @property
    def token(self):
        return self.parts()[1]

    def wiped(self):
        return not any(self.memory[head.size:])

    def close(self):
        if self.memory is not None:
            self.memory.close()
            os.close(self.descriptor)


def ask(path, client, query="", wishes=None, **options):
    """`GET`, or `POST` with wishes, of a page."""
    body = json.dumps(wishes).encode() if wishes is not None else b""
    method, framing = ("POST", f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n") if wishes is not None else ("GET", "")
    target = f"/v1/tokens/{client}/page{'?' + query if query else ''}"
    with connect(path, **options) as connection:
        connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{framing}\r\n".encode() + body)
        received, descriptors = b"", []
        while True:
            more, passed, _, _ = socket.recv_fds(connection, 1 << 16, 4)
            assert not (passed and received), "a descriptor goes with the first byte"
            descriptors += passed
            if not more:
                break
            received += more
    assert len(descriptors) <= 1
    front, _, text = received.partition(b"\r\n\r\n")
    return Page(int(front.split()[1]), json.loads(text), descriptors[0] if descriptors else None)


def boottime_ms():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
