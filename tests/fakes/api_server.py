"""A scripted API for the proxy's tests. It echoes requests as JSON, refuses the tokens it is told to refuse with 401,
and answers single paths with whatever a test sets for them."""

import hashlib
import json
import threading
import time

from http_wire import LoopbackServer


def describe(request):
    return {
        "method": request.method,
        "target": request.target,
        "headers": request.headers,
        "body": request.body.decode("latin-1"),
    }


def echo(wire, request):
    """The request as JSON."""
    request.body = b"".join(wire.body_pieces(request))
    wire.respond(200, [("Content-Type", "application/json")], json.dumps(describe(request)).encode())
    return True


def respond(status=200, headers=(), body=b"", reason="Status"):
    def give(wire, request):
        request.body = b"".join(wire.body_pieces(request))
        wire.respond(status, headers, b"" if request.method == "HEAD" else body, reason)
        return True

    return give


def raw(*pieces, keep_alive=False, pause=0):
    """Sends the pieces as they are, then closes."""

    def give(wire, request):
        request.body = b"".join(wire.body_pieces(request))
        for piece in pieces:
            wire.send(piece)
            time.sleep(pause)
        return keep_alive

    return give


def hang(seconds=30):
    """Takes the request and says nothing; whether the proxy gives up is recorded in `request.given_up`."""

    def give(wire, request):
        request.body = b"".join(wire.body_pieces(request))
        request.given_up = wire.peer_has_closed(seconds)
        return False

    return give


def events(gates):
    """Server-sent events: the first at once, each further one when the test opens its gate."""

    def give(wire, request):
        wire.respond(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
        for number, gate in enumerate([None, *gates]):
            if gate is not None and not gate.wait(10):
                return False
            event = f"data: {number}\n\n".encode()
            wire.send(b"%x\r\n%s\r\n" % (len(event), event))
        wire.send(b"0\r\n\r\n")
        return True

    return give


def download(size, chunked=False):
    """`size` bytes of zeros."""

    def give(wire, request):
        framing = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", size)
        wire.respond(200, [("Content-Type", "application/octet-stream"), framing])
        piece = bytes(1 << 16)
        for start in range(0, size, len(piece)):
            part = piece[: size - start]
            wire.send(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
        if chunked:
            wire.send(b"0\r\n\r\n")
        return True

    return give


def upload(wire, request):
    """Size and digest of the body, which is not kept."""
    digest, size = hashlib.sha256(), 0
    for piece in wire.body_pieces(request):
        digest.update(piece)
        size += len(piece)
    document = {"size": size, "sha256": digest.hexdigest()}
    wire.respond(200, [("Content-Type", "application/json")], json.dumps(document).encode())
    return True


def refuse_unread(status, linger=1.0):
    """Answers before it has read the body, then closes."""

    def give(wire, request):
        wire.respond(status, [("Connection", "close")], b"refused")
        wire.peer_has_closed(linger)
        return False

    return give


class ApiServer(LoopbackServer):
    def __init__(self, certificate=None, authority=None):
        self.refused = set()       # tokens that get a 401
        self.accepted = None       # where set: the only tokens that do not
        self.refuse_all = False
        self._paths = {}
        self._guard = threading.Lock()
        super().__init__(certificate, authority)

    def on(self, path, give):
        """`give(wire, request)` answers requests for this path, query aside, when their token is not refused."""
        self._paths[path] = give

    def refuses(self, token):
        return self.refuse_all or token in self.refused or (self.accepted is not None and token not in self.accepted)

    def serve(self, wire, request):
        with self._guard:
            self.requests.append(request)
        if self.refuses(request.bearer):
            request.body = b"".join(wire.body_pieces(request))
            challenge = [("WWW-Authenticate", 'Bearer error="invalid_token"')]
            wire.respond(401, challenge, b"" if request.method == "HEAD" else b"token refused")
            return True
        return self._paths.get(request.path, echo)(wire, request)

    @property
    def count(self):
        return len(self.requests)

    @property
    def tokens(self):
        return [request.bearer for request in self.requests]
