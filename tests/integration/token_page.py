"""Reads token pages with nothing but docs/token-page.md: what a client library in another language would do."""

import json
import mmap
import os
import re
import socket
import struct
import time
from pathlib import Path

from local_http import connect

document = (Path(__file__).parents[2] / "docs/token-page.md").read_text()
EMPTY, OPEN, CLOSED = 0, 1, 2


def documented_layout():
    """{name: (offset, size, type)} of the document's table."""
    rows = re.findall(r"^\| (\d+) \| (\d+) \| (\w+) \| `(\w+)` \|", document, re.M)
    return {name: (int(offset), int(size), kind) for offset, size, kind, name in rows}


layout = documented_layout()
text_offset = int(re.search(r"^\| (\d+) \| +\| bytes \| +\| the text:", document, re.M)[1])
_formats = {"u32": "=I", "i64": "=q", "bytes": "=8s"}


class Page:
    """The answer of a page route, and what came with its first byte."""

    def __init__(self, status, document, descriptor):
        self.status, self.document, self.descriptor = status, document, descriptor
        self.memory = None
        if descriptor is not None:
            self.memory = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
            assert self.read("magic") == b"grantdpg" and self.read("version") == 1
            self.obtained, self.expires, self.expires_at, self.min_valid = map(
                self.read, ("obtained", "expires", "expires_at", "min_valid"))
            self.sizes = [self.read(f"{part}_size") for part in ("type", "token", "scope", "version")]

    def read(self, name):
        offset, _, kind = layout[name]
        return struct.unpack_from(_formats[kind], self.memory, offset)[0]

    @property
    def state(self):
        return self.read("state")

    def parts(self):
        """Type, token, scope, version; None where the page is closed."""
        before = self.state
        kind, token, scope, version = self.sizes
        text = self.memory[text_offset:text_offset + kind + 1 + token + scope + version].decode("latin-1")
        if before != OPEN or self.state != OPEN:
            return None
        assert text[kind] == " "
        token_end = kind + 1 + token
        return text[:kind], text[kind + 1:token_end], text[token_end:token_end + scope], text[token_end + scope:]

    @property
    def token(self):
        return self.parts()[1]

    def wiped(self):
        return not any(self.memory[text_offset:])

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
