"""What callers may send over the socket, and what happens to those who send something else, half of it or nothing."""

import time

import pytest

from grantd import api, client, until
from problems import assert_problem


@pytest.fixture
def daemon(start_daemon, authorization_server):
    return start_daemon({"daemon": {"idle_timeout": "1s"}, "clients": {"a": client(authorization_server)}})


malformed = {
    "no http": b"hello\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64 + b"\r\n\r\n",
    "bare line feeds": b"GET /healthz HTTP/1.1\nHost: localhost\n\n",
    "version 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "version 0.9": b"GET /healthz\r\n\r\n",
    "nul in the head": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n",
    "folded header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
    "space before the colon": b"GET /healthz HTTP/1.1\r\nHost : localhost\r\n\r\n",
    "header without a colon": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nnonsense\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: invoices\r\n\r\n",
    "two lengths": b"POST /v1/tokens/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
                   b"Content-Length: 2\r\n\r\n{}",
    "listed length": b"POST /v1/tokens/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2, 2\r\n\r\n{}",
    "signed length": b"POST /v1/tokens/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: +2\r\n\r\n{}",
    "huge length": b"POST /v1/tokens/a HTTP/1.1\r\nHost: localhost\r\n"
                   b"Content-Length: 99999999999999999999\r\n\r\n{}",
    "length and chunked": b"POST /v1/tokens/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
                          b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "unknown coding": b"POST /v1/tokens/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
                      b"0\r\n\r\n",
    "almost chunked": b"POST /v1/tokens/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked in 1.0": b"POST /v1/tokens/a HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunk extension": b"POST /v1/tokens/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                       b"2;a=b\r\n{}\r\n0\r\n\r\n",
    "broken chunk size": b"POST /v1/tokens/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "chunk without an end": b"POST /v1/tokens/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                            b"2\r\n{}xx",
    "space in the target": b"GET /healthz x HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no leading slash": b"GET healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("case", malformed)
def test_a_malformed_request_is_refused_and_the_connection_closed(daemon, authorization_server, case):
    with daemon.connect() as connection:
        connection.send(malformed[case])
        assert_problem(connection.read_response(), "invalid_request")
        assert connection.is_closed(5)
    assert authorization_server.count == 0
    assert daemon.get("/healthz").status == 200


def test_a_malformed_request_hides_nothing_behind_it(daemon, authorization_server):
    smuggled = b"GET /v1/tokens/a HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with daemon.connect() as connection:
        connection.send(malformed["length and chunked"] + smuggled)
        assert connection.read_response().status == 400
        assert connection.is_closed(5)
    assert authorization_server.count == 0


def test_a_head_over_32_kib_is_too_large(daemon):
    with daemon.connect() as connection:
        connection.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 32768 + b"\r\n\r\n")
        assert_problem(connection.read_response(), "headers_too_large")


def test_a_head_just_below_32_kib_is_served(daemon):
    start = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: "
    with daemon.connect() as connection:
        connection.send(start + b"x" * (32768 - len(start) - 4) + b"\r\n\r\n")
        assert connection.read_response().status == 200


def test_an_endless_head_is_cut_off(daemon):
    with daemon.connect() as connection:
        connection.send(b"GET /healthz HTTP/1.1\r\n")
        try:
            for _ in range(100):
                connection.send(b"X: " + b"x" * 1000 + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            return
        assert connection.read_response().status == 431


@pytest.mark.parametrize("chunked", [False, True])
def test_a_json_body_over_64_kib_is_too_large(daemon, chunked):
    body = b'{"scope": "' + b"x" * 65536 + b'"}'
    with daemon.connect() as connection:
        if chunked:
            headers = [("Transfer-Encoding", "chunked")]
            connection.send_request("POST", "/v1/tokens/a", headers, b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        else:
            connection.send_request("POST", "/v1/tokens/a", body=body)
        assert_problem(connection.read_response(), "payload_too_large")
    assert daemon.get("/healthz").status == 200


def test_a_chunked_json_body_is_read(daemon, authorization_server):
    headers = [("Transfer-Encoding", "chunked")]
    body = b'3\r\n{"s\r\n' + b'b\r\ncope": "x"}\r\n' + b"0\r\n\r\n"
    answer = daemon.request("POST", "/v1/tokens/a", headers, body)
    assert_problem(answer, "access_denied")  # it was understood: a scope that is not configured


def test_expect_100_continue_is_answered(daemon):
    with daemon.connect() as connection:
        connection.send_request("POST", "/v1/tokens/a", [("Expect", "100-continue"), ("Content-Length", "2")])
        assert connection.read_head().status == 100
        connection.send(b"{}")
        assert connection.read_response().status == 200


def test_many_requests_on_one_connection(daemon):
    with daemon.connect() as connection:
        for _ in range(100):
            assert connection.request("GET", "/v1/tokens/a").status == 200
            assert connection.request("POST", "/v1/tokens/a", body=b"{}").status == 200
            assert connection.request("GET", "/v1/tokens/absent").status == 404


def test_pipelined_requests_are_answered_in_order(daemon):
    with daemon.connect() as connection:
        for number in range(50):
            target = "/v1/tokens/a" if number % 2 else f"/v1/tokens/absent{number}"
            connection.send_request("GET", target)
        for number in range(50):
            response = connection.read_response()
            assert response.status == (200 if number % 2 else 404)
            assert number % 2 or response.json()["client"] == f"absent{number}"


def test_connection_close_is_honoured(daemon):
    with daemon.connect() as connection:
        response = connection.request("GET", "/healthz", [("Connection", "close")])
        assert response.status == 200 and "close" in response.header("Connection")
        assert connection.is_closed()


def test_a_caller_that_only_shuts_down_its_sending_side_is_answered(daemon):
    import socket

    with daemon.connect() as connection:
        connection.send_request("GET", "/v1/tokens/a")
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.read_response().status == 200


def test_a_request_that_arrives_byte_by_byte_is_served(daemon):
    with daemon.connect() as connection:
        for byte in b'POST /v1/tokens/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}':
            connection.send(bytes([byte]))
        assert connection.read_response().status == 200


def test_an_idle_connection_is_closed(daemon):
    with daemon.connect() as connection:
        assert connection.request("GET", "/healthz").status == 200
        started = time.monotonic()
        assert connection.is_closed(8)
        assert 0.8 <= time.monotonic() - started <= 4


def test_a_head_that_never_completes_ends_after_ten_seconds(daemon):
    """Dripped, so that no silence ends it before."""
    with daemon.connect() as connection, daemon.connect() as silent:
        started = time.monotonic()
        connection.send(b"GET /healthz HTTP/1.1\r\nX: ")
        silent.send(b"GET /heal")
        connection.socket.settimeout(0.5)
        while time.monotonic() - started < 16:
            try:
                connection.fill()
                break
            except TimeoutError:
                connection.send(b"x")
        connection.socket.settimeout(5)
        assert_problem(connection.read_response(), "request_timeout")
        assert 9 <= time.monotonic() - started <= 14
        assert_problem(silent.read_response(), "request_timeout")


def test_callers_that_vanish_in_the_middle_do_no_harm(daemon):
    pieces = [b"", b"G", b"GET /v1/tokens/a HTTP/1.1\r\nHost: localhost\r\n",
              b"POST /v1/tokens/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
              b"GET /v1/tokens/a HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50]
    for _ in range(20):
        for piece in pieces:
            with daemon.connect() as connection:
                connection.send(piece)
    until(lambda: daemon.metric("grantd_connections") == 1)
    assert daemon.get_token("a").status == 200


def test_a_caller_that_does_not_read_holds_nobody_up(daemon):
    with daemon.connect() as stuffed:
        stuffed.socket.setblocking(False)
        try:
            for _ in range(10000):
                stuffed.socket.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        except BlockingIOError:
            pass
        started = time.monotonic()
        assert daemon.get_token("a").status == 200
        assert time.monotonic() - started < 2
        assert daemon.memory() < 400 << 20


def test_past_max_connections_a_new_one_gets_503_and_is_closed(start_daemon, authorization_server):
    daemon = start_daemon({"daemon": {"max_connections_per_user": 4, "admin_users": []},
                           "clients": {"a": client(authorization_server)}})
    limited_by_admin_seats = 40
    connections = []
    try:
        while len(connections) < limited_by_admin_seats:
            connection = daemon.connect()
            connections.append(connection)
            connection.send_request("GET", "/healthz")
            response = connection.read_response()
            if response.status == 503:
                assert_problem(response, "too_many_connections")
                assert connection.is_closed()
                break
        assert len(connections) in (5, 4 + 32 + 1)  # root is an administrator as the daemon's own user
        for connection in connections[:-1]:
            assert connection.request("GET", "/healthz").status == 200
    finally:
        for connection in connections:
            connection.close()
    until(lambda: daemon.get("/healthz").status == 200)
    assert daemon.metric("grantd_connections_refused_total") >= 1


@pytest.mark.root
def test_one_user_cannot_take_all_connections(start_daemon, authorization_server):
    daemon = start_daemon({"daemon": {"max_connections_per_user": 5, "socket_mode": "0666"},
                           "clients": {"a": client(authorization_server)}})
    greedy = [daemon.connect(uid=70001) for _ in range(5)]
    for connection in greedy:
        assert connection.request("GET", "/healthz").status == 200
    assert_problem(daemon.get("/healthz", uid=70001), "too_many_connections")
    assert daemon.get("/healthz", uid=70002).status == 200
    greedy.pop().close()
    until(lambda: daemon.get("/healthz", uid=70001).status == 200)
    for connection in greedy:
        connection.close()


@pytest.mark.root
def test_connections_are_kept_for_administrators(start_daemon, authorization_server):
    daemon = start_daemon({"daemon": {"max_connections": 5, "socket_mode": "0666"},
                           "clients": {"a": client(authorization_server)}})
    callers = [daemon.connect(uid=70000 + number) for number in range(5)]
    for connection in callers:
        assert connection.request("GET", "/healthz").status == 200
    assert_problem(daemon.get("/healthz", uid=70009), "too_many_connections")
    assert daemon.get("/healthz").status == 200
    for connection in callers:
        connection.close()


def test_an_upgrade_through_the_proxy_is_not_supported(start_daemon, authorization_server, api_server):
    daemon = start_daemon({"clients": {"a": client(authorization_server)}, "apis": {"x": api(api_server, "a")}})
    headers = [("Connection", "Upgrade"), ("Upgrade", "websocket")]
    assert_problem(daemon.call("x", "/socket", headers=headers), "upgrade_not_supported")
    assert api_server.count == 0
