"""One deadline over a whole token request: servers that hang, drip or never accept, and names that never resolve."""

import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from authorization_server import AuthorizationServer, answer, delayed, drip, hang, token
from grantd import client, until
from problems import assert_problem

slack = 2.0  # of a busy machine and a sanitizer's build


def one(server, **keys):
    return {"clients": {"a": client(server, **keys)}}


def assert_timely_problem(daemon, code, seconds, name="a"):
    started = time.monotonic()
    assert_problem(daemon.get_token(name), code)
    assert seconds * 0.9 <= time.monotonic() - started <= seconds + slack


body = b'{"access_token":"dripped","token_type":"Bearer","expires_in":60}'
slow_answers = {
    "silence": hang(),
    "a dripping head": drip(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" * 5, 0.1),
    "a dripping body": lambda wire, request: (
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)),
        drip(body, 0.1)(wire, request))[1],
    "endless interim responses": drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 20, 0.02),
}


@pytest.mark.parametrize("case", slow_answers)
def test_a_slow_answer_ends_at_the_deadline(start_daemon, authorization_server, case):
    authorization_server.otherwise = slow_answers[case]
    daemon = start_daemon(one(authorization_server, request_timeout="800ms"))
    assert_timely_problem(daemon, "token_request_timeout", 0.8)
    started = time.monotonic()
    assert_problem(daemon.get_token("a"), "token_request_timeout")  # remembered
    assert time.monotonic() - started < 0.5


def test_all_attempts_together_keep_the_deadline(start_daemon, authorization_server):
    authorization_server.otherwise = delayed(0.4, answer(503))
    daemon = start_daemon(one(authorization_server, request_timeout="1s"))
    started = time.monotonic()
    assert daemon.get_token("a").status in (503, 504)
    assert time.monotonic() - started <= 1 + slack


def test_a_server_that_never_accepts_ends_at_the_connect_timeout(start_daemon, authorization_server):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        fillers = []
        for _ in range(4):  # the queue of a listener that nobody serves
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            fillers.append(filler)
        time.sleep(0.1)
        endpoint = f"http://127.0.0.1:{address[1]}/token"
        daemon = start_daemon(one(authorization_server, token_endpoint=endpoint, connect_timeout="200ms",
                                  request_timeout="3s"))
        started = time.monotonic()
        assert daemon.get_token("a").code in ("authorization_server_unavailable", "token_request_timeout")
        assert time.monotonic() - started <= 3 + slack
        for filler in fillers:
            filler.close()


def test_a_tls_handshake_that_hangs_ends_at_the_deadline(start_daemon, authorization_server):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"https://127.0.0.1:{silent.getsockname()[1]}/token"
        daemon = start_daemon(one(authorization_server, token_endpoint=endpoint, request_timeout="700ms"))
        started = time.monotonic()
        assert daemon.get_token("a").code in ("authorization_server_unavailable", "token_request_timeout")
        assert time.monotonic() - started <= 0.7 + slack


def silent_names(start_daemon, configuration):
    script = Path(__file__).parents[1] / "fakes/silent_resolver.py"
    return start_daemon(configuration, wrapper=["unshare", "-mn", sys.executable, str(script)])


@pytest.mark.root
def test_a_name_server_that_never_answers_ends_at_the_deadline(start_daemon, authorization_server):
    unresolved = client(authorization_server, token_endpoint="https://as.example/token", request_timeout="700ms")
    daemon = silent_names(start_daemon, {"clients": {"a": unresolved}})
    assert_timely_problem(daemon, "token_request_timeout", 0.7)


@pytest.mark.root
def test_name_lookups_that_hang_hold_nobody_up_and_do_not_pile_up(start_daemon, authorization_server):
    clients = {f"c{number}": client(authorization_server, token_endpoint=f"https://as{number}.example/token",
                                    request_timeout="500ms") for number in range(30)}
    daemon = silent_names(start_daemon, {"clients": clients})
    connections = [daemon.connect() for _ in clients]
    started = time.monotonic()
    for name, connection in zip(clients, connections):
        connection.send_request("GET", f"/v1/tokens/{name}")
    assert daemon.get("/healthz").status == 200
    for connection in connections:
        assert connection.read_response().status in (503, 504)
        connection.close()
    assert time.monotonic() - started < 0.5 + slack + 2
    threads = len(list(Path(f"/proc/{daemon.process.pid}/task").iterdir()))
    assert threads < 64, threads


@pytest.mark.root
def test_a_daemon_stops_in_time_though_a_name_lookup_hangs(start_daemon, authorization_server):
    unresolved = client(authorization_server, token_endpoint="https://as.example/token", prefetch=True,
                        request_timeout="400ms")
    daemon = silent_names(start_daemon, {"clients": {"a": unresolved}})
    until(lambda: daemon.clients()["a"]["state"] in ("fetching", "failing"))
    started = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - started < 12


def test_the_deadline_does_not_cut_a_server_that_is_merely_slow(start_daemon, authorization_server):
    authorization_server.otherwise = delayed(0.6, token())
    assert start_daemon(one(authorization_server, request_timeout="5s")).get_token("a").status == 200
    assert authorization_server.count == 1


def test_a_server_that_hangs_leaves_the_others_alone(start_daemon, authorization_server, api_server, in_parallel):
    """More callers of one silent server than the daemon has threads for its sake; and an API whose name must be looked up."""
    silent = AuthorizationServer()
    silent.script_always(hang())
    apis = {"x": {"client": "b", "base_url": f"http://localhost:{api_server.port}", "allow_insecure_http": True}}
    daemon = start_daemon({"clients": {"a": client(silent, allow_overrides=["scope"], request_timeout="8s",
                                                   max_provoked_requests=1000),
                                       "b": client(authorization_server)}, "apis": apis})
    callers = threading.Thread(target=lambda: in_parallel(lambda n: daemon.get_token("a", f"scope=s{n}"), range(100), 100))
    callers.start()
    try:
        until(lambda: silent.connections >= 16)
        started = time.monotonic()
        assert daemon.get_token("b").status == 200 and daemon.call("x", "/").status == 200
        assert time.monotonic() - started < slack
        assert silent.connections == 16
    finally:
        silent.close()
        callers.join()
