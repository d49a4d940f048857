"""An authorization server that does what a test scripts it to do: everything that a correct server never does, and
what a correct one does only on a bad day. Each request takes the next scripted answer, else `otherwise`.

An answer is a function of the connection's wire and the request; it returns whether the connection goes on."""

import base64
import collections
import itertools
import json
import secrets
import time
import urllib.parse

from http_wire import LoopbackServer

ABSENT = object()
issued = set()  # every access token that any scripted server gave away: none may ever stand in a log


def new_token():
    value = "at-" + secrets.token_urlsafe(24)
    issued.add(value)
    return value


def answer(status=200, headers=(), body=b"", keep_alive=True):
    """A plain response with exactly these headers besides Content-Length."""
    body = body.encode() if isinstance(body, str) else body

    def give(wire, request):
        wire.respond(status, headers, body)
        return keep_alive

    return give


def json_answer(document, status=200, headers=(), content_type="application/json"):
    return answer(status, [("Content-Type", content_type), *headers], json.dumps(document))


def token(**members):
    """A token response: a new token of an hour unless `members` say otherwise; ABSENT leaves a member out."""

    def give(wire, request):
        document = {"access_token": new_token(), "token_type": "Bearer", "expires_in": 3600} | members
        document = {name: value for name, value in document.items() if value is not ABSENT}
        return json_answer(document, headers=[("Cache-Control", "no-store")])(wire, request)

    return give


def oauth_error(error, status=400, description=None, headers=()):
    document = {"error": error} | ({"error_description": description} if description else {})
    return json_answer(document, status, headers)


def raw(data, keep_alive=False):
    def give(wire, request):
        wire.send(data)
        return keep_alive

    return give


def close():
    """Ends the connection without a word."""
    return lambda wire, request: False


def hang(seconds=30):
    """Says nothing until the client gives up."""
    return lambda wire, request: wire.peer_has_closed(seconds) and False


def drip(data, interval):
    """Sends one byte every `interval` seconds."""

    def give(wire, request):
        for byte in data:
            wire.send(bytes([byte]))
            time.sleep(interval)
        return False

    return give


def endless(head, piece):
    """Sends `piece` after `head` for as long as the client takes it."""

    def give(wire, request):
        wire.send(head)
        while True:
            wire.send(piece)

    return give


def delayed(seconds, then):
    def give(wire, request):
        time.sleep(seconds)
        return then(wire, request)

    return give


def gated(gate, then):
    """Waits for a threading.Event before it answers."""

    def give(wire, request):
        gate.wait(30)
        return then(wire, request)

    return give


class AuthorizationServer(LoopbackServer):
    def __init__(self, certificate=None):
        self.otherwise = token()
        self._script = collections.deque()
        super().__init__(certificate)

    @property
    def token_endpoint(self):
        return self.origin + "/token"

    def script(self, *answers):
        self._script.extend(answers)

    def script_always(self, given):
        self._script.clear()
        self.otherwise = given

    def serve(self, wire, request):
        request.body = b"".join(wire.body_pieces(request))
        give = self._script.popleft() if self._script else self.otherwise
        self.requests.append(request)
        return give(wire, request)

    @property
    def count(self):
        return len(self.requests)

    def form(self, index=-1):
        """The form of a recorded request as a list of (name, value)."""
        return urllib.parse.parse_qsl(self.requests[index].body.decode(), keep_blank_values=True,
                                      strict_parsing=True)

    def basic_credentials(self, index=-1):
        """What stands in `Authorization: Basic`, decoded from base64 alone."""
        scheme, _, encoded = self.requests[index].header("Authorization").partition(" ")
        assert scheme == "Basic"
        return base64.b64decode(encoded, validate=True).decode()

    def intervals(self):
        """Seconds between one request and the next."""
        return [later.time - earlier.time for earlier, later in itertools.pairwise(self.requests)]
