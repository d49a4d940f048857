"""Callers that send anything: ten thousand of them, from a seeded generator, each bytes at random or a request that was
tampered with. Every one is answered or dropped, nothing is left behind, and the API sees no request that was not one."""

import os
import random
import re
import socket
from pathlib import Path

import pytest

from grantd import api, client, is_sanitized, until

requests = 10_000
seed = 20261123
patience = 15

heads = [
    b"GET /v1/tokens/a HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /v1/tokens/a?scope=x&min_valid=5 HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n",
    b'POST /v1/tokens/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 22\r\n\r\n{"force_renewal":false}',
    b'POST /v1/dpop/a HTTP/1.1\r\nHost: grantd\r\nContent-Length: 30\r\n\r\n{"method":"GET","url":"x:///"}',
    b"DELETE /v1/tokens/absent HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /test?x=1 HTTP/1.1\r\nHost: x\r\nGrantd-Min-Valid: 5\r\n\r\n",
    b"POST /v1/proxy/x/test HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\nhello world",
    b"PUT /test HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    b"GET /metrics HTTP/1.0\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
]
telling = [b"\r\n", b"\n", b"\0", b":", b" ", b"\t", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"%2e%2e/",
           b"HTTP/1.1", b"-1", b"+5", b"0x5", b";ext=1", b"\xff", b"Host: x\r\n", b"Expect: 100-continue\r\n"]


def tampered(generator):
    data = bytearray(generator.choice(heads))
    for _ in range(generator.randrange(1, 5)):
        at = generator.randrange(len(data) + 1)
        kind = generator.randrange(4)
        if kind == 0:
            data[at:at + 1] = bytes([generator.randrange(256)])
        elif kind == 1:
            data[at:at] = generator.choice(telling)
        elif kind == 2:
            del data[at:at + generator.randrange(1, 12)]
        else:
            data[at:at] = data[at:at + generator.randrange(1, 30)]
    return bytes(data)


def message(number):
    generator = random.Random(f"{seed} {number}")
    return generator.randbytes(generator.randrange(1, 400)) if number % 5 == 0 else tampered(generator)


def send(path, data):
    """What came back until the daemon closed; it knows that no more will be sent."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(patience)
        connection.connect(str(path))
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
            return answer
        except (BrokenPipeError, ConnectionResetError):
            return None


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


@pytest.fixture
def daemon(start_daemon, authorization_server, api_server):
    return start_daemon({"clients": {"a": client(authorization_server, scope="x", max_provoked_requests=1_000_000)},
                         "apis": {"x": api(api_server, "a")}})


def test_ten_thousand_callers_that_send_anything(daemon, api_server, in_parallel):
    for number in range(200):  # as much memory and as many kept connections as a busy daemon has
        send(daemon.socket, message(number))
    settled = until(lambda: daemon.metric("grantd_connections") <= 1) and descriptors(daemon)
    memory = daemon.memory()
    answers = in_parallel(lambda number: send(daemon.socket, message(number)), range(requests), threads=16)
    for number, answer in enumerate(answers):
        if answer:
            assert re.match(rb"HTTP/1\.1 [1-5]\d\d ", answer), (number, message(number), answer[:200])
            assert not answer.startswith(b"HTTP/1.1 500"), (number, message(number), answer[:500])
    assert sum(bool(answer) for answer in answers) > requests / 2
    assert daemon.get_token("a").status == 200 and daemon.call("x", "/test").status == 200
    until(lambda: daemon.metric("grantd_connections") <= 1)
    assert until(lambda: descriptors(daemon) <= settled + 8)  # the pool of connections to the API may have grown
    if not is_sanitized():
        assert daemon.memory() - memory < 8 << 20
    for request in api_server.requests:
        assert re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", request.method), request
        assert re.fullmatch(r"/[!-~]*", request.target) and request.version == "HTTP/1.1"
        assert len(request.header_values("Host")) == 1 and len(request.header_values("Authorization")) == 1
        framing = request.header_values("Content-Length") + request.header_values("Transfer-Encoding")
        assert len(framing) <= 1 and all(re.fullmatch(r"\d+|chunked", value) for value in framing)
    assert Path(daemon.socket).exists()
