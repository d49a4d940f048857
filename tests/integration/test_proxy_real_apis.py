"""Calls through the proxy by real HTTP clients to real servers: what comes out is what the server sent, and what the server
saw is what the client sent, with a token."""

import gzip
import hashlib
import json
import os
import subprocess

import httpx
import pytest

from grantd import api, client, until
from real_api_servers import Nginx, NpmServer

large = os.urandom(1 << 20) * 12


@pytest.fixture(scope="module")
def nginx(tmp_path_factory, server_certificate):
    directory = tmp_path_factory.mktemp("nginx")
    server = Nginx(directory, server_certificate)
    server.put("page.txt", b"a line of text\n" * 50)
    server.put("large.bin", large)
    yield server
    server.close()


@pytest.fixture
def daemon(start_daemon, authorization_server, nginx, certificate_authority):
    """With nginx as the APIs `files` and `secure`."""
    secure = {"client": "a", "base_url": nginx.tls_origin, "tls_ca_file": certificate_authority.certificate}
    return start_daemon({"clients": {"a": client(authorization_server)},
                         "apis": {"files": api(nginx, "a"), "secure": secure}})


def curl(daemon, *arguments, data=None):
    return subprocess.run(["curl", "-sS", "--max-time", "60", "--unix-socket", str(daemon.socket), *arguments],
                          input=data, capture_output=True, check=True, timeout=70).stdout


def httpx_client(daemon, name):
    return httpx.Client(transport=httpx.HTTPTransport(uds=str(daemon.socket)), base_url=f"http://{name}", timeout=30)


def test_curl_gets_a_file_and_the_server_sees_the_token(daemon, nginx):
    assert curl(daemon, "http://files/page.txt?a=b%20c") == (nginx.root / "page.txt").read_bytes()
    seen = until(lambda: [one for one in nginx.seen() if one["uri"] == "/page.txt?a=b%20c"])[-1]
    assert seen["authorization"] == "Bearer " + daemon.get_token("a").token
    assert "http://" + seen["host"] == nginx.origin


def test_ranges_conditions_and_heads_keep_their_meaning(daemon):
    with httpx_client(daemon, "files") as http:
        whole = http.get("/large.bin")
        assert hashlib.sha256(whole.content).digest() == hashlib.sha256(large).digest()
        part = http.get("/large.bin", headers={"Range": "bytes=1000-1999"})
        assert part.status_code == 206 and part.content == large[1000:2000]
        assert part.headers["Content-Range"] == f"bytes 1000-1999/{len(large)}"
        assert http.get("/large.bin", headers={"Range": f"bytes={len(large)}-"}).status_code == 416
        again = http.get("/large.bin", headers={"If-None-Match": whole.headers["ETag"]})
        assert again.status_code == 304 and not again.content
        head = http.head("/large.bin")
        assert head.status_code == 200 and int(head.headers["Content-Length"]) == len(large)
        absent = http.get("/absent")
        assert absent.status_code == 404 and b"nginx" in absent.content and "Grantd-Error" not in absent.headers


def test_what_the_server_compressed_stays_compressed(daemon, nginx):
    content = (nginx.root / "page.txt").read_bytes()
    with httpx_client(daemon, "files") as http, \
            http.stream("GET", "/page.txt", headers={"Accept-Encoding": "gzip"}) as response:
        raw = b"".join(response.iter_raw())
    assert response.headers["Content-Encoding"] == "gzip" and gzip.decompress(raw) == content
    with httpx_client(daemon, "files") as http:
        assert http.get("/page.txt", headers={"Accept-Encoding": "identity"}).content == content
    assert curl(daemon, "--compressed", "http://files/page.txt") == content


def test_methods_that_nobody_registered_pass_and_so_does_the_refusal(daemon, nginx):
    for method in ("PROPFIND", "BREW"):
        status = curl(daemon, "-X", method, "-o", "/dev/null", "-w", "%{http_code}", "http://files/page.txt")
        assert status == b"405"
        assert until(lambda: [one for one in nginx.seen() if one["method"] == method])  # noqa: B023


def test_a_file_comes_over_tls(daemon, nginx):
    assert curl(daemon, "http://secure/large.bin") == large
    assert until(lambda: [one for one in nginx.seen() if one["tls"] == "on"])


def test_a_server_that_closes_after_some_requests_is_not_noticed(daemon):
    with httpx_client(daemon, "files") as http, httpx_client(daemon, "secure") as secure:
        for _ in range(30):
            assert http.get("/page.txt").status_code == 200
            assert secure.get("/page.txt").status_code == 200
    assert daemon.metric("grantd_api_requests_total", api="files", status=200) == 30


def test_an_http_1_0_caller_is_served(daemon, nginx):
    answer = curl(daemon, "-0", "-i", "http://files/page.txt", "-H", "Accept-Encoding: gzip")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and b"chunked" not in head.lower()
    assert gzip.decompress(body) == (nginx.root / "page.txt").read_bytes()


# What the server saw


@pytest.fixture
def echo(start_daemon, authorization_server):
    """A daemon with the API `echo`, whose answer is the request as it arrived."""
    server = NpmServer("http-echo-server", "0")
    yield start_daemon({"clients": {"a": client(authorization_server)}, "apis": {"echo": api(server, "a")}})
    server.close()


def request_seen(echoed):
    head, _, body = echoed.partition(b"\r\n\r\n")
    first, *fields = head.decode().split("\r\n")
    return first, fields, body


def test_the_request_arrives_as_it_was_sent(echo):
    echoed = curl(echo, "-X", "REPORT", "-H", "X-One: 1", "-H", "X-One: 2", "-H", "Cookie: a=b; c=d", "-H", "Grantd-Scope:",
                  "-H", "Connection: X-Hop", "-H", "X-Hop: secret", "-H", "Authorization: Basic eDp5", "--path-as-is",
                  "-d", "payload", "http://echo/a%2Fb//c;d?x=%20&&y")
    first, fields, body = request_seen(echoed)
    assert first == "REPORT /a%2Fb//c;d?x=%20&&y HTTP/1.1" and body == b"payload"
    assert [field for field in fields if field.startswith("X-One")] == ["X-One: 1", "X-One: 2"]
    assert "Cookie: a=b; c=d" in fields and f"Authorization: Bearer {echo.get_token('a').token}" in fields
    assert not any("X-Hop" in field or "Grantd" in field or "Basic" in field for field in fields)


def test_a_streamed_upload_arrives_in_chunks(echo):
    with httpx_client(echo, "echo") as http:
        echoed = http.post("/upload", content=iter([b"first", b"second"])).content
    first, fields, body = request_seen(echoed)
    assert first == "POST /upload HTTP/1.1" and "Transfer-Encoding: chunked" in fields
    assert body.replace(b"\r\n", b"").endswith(b"0") and b"first" in body and b"second" in body


def test_an_upload_that_asks_first_asks_the_api(echo):
    echoed = curl(echo, "-H", "Expect: 100-continue", "--data-binary", "@-", "http://echo/", data=b"x" * 5000)
    assert "Expect: 100-continue" in request_seen(echoed)[1]


def test_server_sent_events_of_a_real_server_come_one_by_one(start_daemon, authorization_server):
    server = NpmServer("sse-server", "-p", "0")
    try:
        daemon = start_daemon({"clients": {"a": client(authorization_server)}, "apis": {"events": api(server, "a")}})
        send = lambda number: server.send(json.dumps({"name": "tick", "data": number}) + "\n")  # noqa: E731
        send(1)  # it sends no head before the first event
        with httpx_client(daemon, "events") as http, http.stream("GET", "/") as response:
            assert response.headers["Content-Type"].startswith("text/event-stream")
            lines = response.iter_lines()
            for number in range(1, 6):  # each is sent only after the one before has arrived
                assert any(line.strip() == f"data: {number}" for line in lines)
                send(number + 1)
    finally:
        server.close()
