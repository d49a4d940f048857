"""What runs out is refused with a word, to new callers alone, and comes back."""

import contextlib

import pytest

from grantd import api, client, is_sanitized, until
from problems import assert_problem


def connections_until_refused(daemon, most=4096):
    """Open connections that are served, and the answer of the first one that is not."""
    served = []
    while len(served) < most:
        connection = daemon.connect()
        with contextlib.suppress(BrokenPipeError):  # it may be refused before it has spoken
            connection.send_request("GET", "/v1/tokens/a")
        answer = connection.read_response("GET")
        if answer.status == 503:
            connection.close()
            return served, answer
        assert answer.status == 200
        served.append(connection)
    raise AssertionError("never refused")


@pytest.fixture
def short_of_descriptors(start_daemon, authorization_server, api_server):
    """A daemon that may open 64 files."""
    return start_daemon({"clients": {"a": client(authorization_server), "b": client(authorization_server)},
                         "apis": {"x": api(api_server, "a")}},
                        wrapper=["prlimit", "--nofile=64:64"])


def test_a_daemon_out_of_descriptors_refuses_new_callers_and_goes_on_with_the_others(short_of_descriptors):
    daemon = short_of_descriptors
    first = daemon.connect()
    assert first.request("GET", "/v1/proxy/x/").status == 200
    served, refused = connections_until_refused(daemon)
    assert_problem(refused, "too_many_connections")
    assert len(served) > 20
    for connection in served:
        assert connection.request("GET", "/v1/tokens/a").status == 200
    # Its connection to the API was kept.
    assert first.request("GET", "/v1/proxy/x/").status == 200
    # Finding out who asks takes more descriptors than a token request, so that there are some left for those who are in.
    assert served[0].request("GET", "/v1/tokens/b").status == 200
    assert until(lambda: daemon.events("out_of_descriptors"))
    for connection in [first, *served]:
        connection.close()
    until(lambda: daemon.get_token("a").status == 200)
    until(lambda: daemon.get_token("b").status == 200)


def test_callers_with_unfinished_heads_take_little_memory(start_daemon, authorization_server):
    daemon = start_daemon({"clients": {"a": client(authorization_server)}})
    daemon.get_token("a")
    before = daemon.memory()
    head = b"GET /v1/tokens/a HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 31_000
    waiting = [daemon.connect() for _ in range(500)]
    for connection in waiting:
        connection.send(head)
    assert daemon.get_token("a").status == 200
    if not is_sanitized():
        assert daemon.memory() - before < 2 * 500 * len(head)
    for connection in waiting:
        connection.send(b"\r\n\r\n")
        assert connection.read_response().status == 200
        connection.close()
