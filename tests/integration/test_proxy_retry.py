"""A 401 of the API: renewed once, sent once more, and what happens where that is not possible."""

import hashlib
import time

import pytest

from api_server import upload
from authorization_server import answer, gated, new_token, token
from grantd import api, client, until
from problems import assert_problem


@pytest.fixture
def serve(start_daemon, authorization_server, api_server):
    def start(client_keys=None, **keys):
        return start_daemon({"clients": {"a": client(authorization_server, **(client_keys or {}))},
                             "apis": {"x": api(api_server, "a", **keys)}})

    return start


@pytest.mark.parametrize("method, body", [("GET", b""), ("POST", b"payload"), ("PUT", b"x" * 200_000)],
                         ids=["no body", "small", "large"])
def test_a_refused_request_is_sent_again_whole_with_a_new_token(serve, api_server, authorization_server, method, body):
    daemon = serve()
    api_server.refused.add(first := daemon.get_token("a").token)
    answered = daemon.call("x", "/t?q", method, [("X-A", "b")], body)
    assert answered.status == 200 and answered.header("Grantd-Retried") == "401"
    echo = answered.json()
    assert (echo["method"], echo["target"], echo["body"]) == (method, "/t?q", body.decode())
    assert api_server.tokens == [first, daemon.get_token("a").token]
    assert authorization_server.count == 2


def test_a_chunked_body_is_sent_again_whole(serve, api_server):
    daemon = serve()
    api_server.refused.add(daemon.get_token("a").token)
    framed = b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"
    answered = daemon.call("x", "/", "POST", [("Transfer-Encoding", "chunked")], framed)
    assert answered.json()["body"] == "firstsecond"


def test_an_answer_that_was_sent_once_does_not_say_retried(serve):
    assert serve().call("x", "/").header("Grantd-Retried") is None


def test_a_second_401_is_the_answer(serve, api_server, authorization_server):
    api_server.refuse_all = True
    answered = serve().call("x", "/", "POST", body=b"data")
    assert answered.status == 401 and answered.body == b"token refused"
    assert answered.header("WWW-Authenticate") == 'Bearer error="invalid_token"'
    assert answered.header("Grantd-Retried") == "401" and answered.header("Grantd-Error") is None
    assert api_server.count == 2 and authorization_server.count == 2


def test_an_api_that_always_refuses_does_not_hammer_the_authorization_server(serve, api_server, authorization_server):
    api_server.refuse_all = True
    daemon = serve()
    for _ in range(20):
        assert daemon.call("x", "/").status == 401
    assert authorization_server.count <= 4


def test_a_server_that_gives_the_rejected_token_again_is_not_hammered(start_daemon, authorization_server, api_server):
    api_server.refuse_all = True
    same = new_token()
    authorization_server.script_always(token(access_token=same))
    daemon = start_daemon({"clients": {"a": client(authorization_server, max_provoked_requests=1000)},
                           "apis": {"x": api(api_server, "a")}})
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:  # renewed at once, then after 1 s and 2 s
        assert daemon.call("x", "/").status == 401
        time.sleep(0.02)
    assert 3 <= authorization_server.count <= 5


def test_retrying_can_be_turned_off(serve, api_server, authorization_server):
    api_server.refuse_all = True
    answered = serve(retry_on_401=False).call("x", "/")
    assert answered.status == 401 and answered.header("Grantd-Retried") is None
    assert api_server.count == 1 and authorization_server.count == 1


def test_a_401_for_a_body_too_large_to_keep_is_the_answer_and_the_next_call_has_a_new_token(serve, api_server):
    daemon = serve(max_replay_body="1KiB")
    api_server.refused.add(first := daemon.get_token("a").token)
    answered = daemon.call("x", "/", "POST", body=b"x" * 2000)
    assert answered.status == 401 and answered.header("Grantd-Retried") is None
    assert api_server.count == 1
    assert until(lambda: daemon.call("x", "/").status == 200)
    assert api_server.tokens[-1] != first


def test_a_body_at_the_limit_is_kept(serve, api_server):
    daemon = serve(max_replay_body="1KiB")
    api_server.refused.add(daemon.get_token("a").token)
    answered = daemon.call("x", "/", "POST", body=b"x" * 1024)
    assert answered.status == 200 and len(answered.json()["body"]) == 1024


def test_the_401_is_the_answer_where_no_other_token_can_be_had(serve, api_server, authorization_server):
    daemon = serve({"request_timeout": "1s"})
    api_server.refused.add(daemon.get_token("a").token)
    authorization_server.otherwise = answer(503)
    answered = daemon.call("x", "/")
    assert answered.status == 401 and answered.header("Grantd-Error") is None


@pytest.mark.stampede
def test_a_burst_of_401s_is_one_renewal(serve, api_server, authorization_server, gate):
    daemon = serve()
    api_server.refused.add(daemon.get_token("a").token)
    authorization_server.otherwise = gated(gate, token())
    connections = [daemon.connect() for _ in range(200)]
    for number, connection in enumerate(connections):
        connection.send_request("POST", f"/v1/proxy/x/{number}", body=b"body %d" % number)
    until(lambda: authorization_server.count == 2)
    gate.set()
    for number, connection in enumerate(connections):
        answered = connection.read_response()
        assert answered.status == 200 and answered.json()["body"] == f"body {number}"
        connection.close()
    assert authorization_server.count == 2


def test_a_token_that_a_call_says_was_rejected_is_not_used(serve, api_server):
    daemon = serve()
    refused = daemon.get_token("a").json()
    answered = daemon.call("x", "/", headers=[("Grantd-Rejected", refused["version"])])
    assert answered.status == 200
    assert api_server.tokens[0] != refused["access_token"]


def test_no_body_is_lost_when_many_large_ones_are_sent_at_once(serve, api_server, in_parallel):
    """All replay buffers together stay below their bound; what is beyond is streamed and not sent again."""
    api_server.on("/upload", upload)
    daemon = serve(max_replay_body="4MiB")
    body = bytes(range(256)) * 8192  # 2 MiB
    digest = hashlib.sha256(body).hexdigest()
    answers = in_parallel(lambda _: daemon.call("x", "/upload", "POST", body=body), range(40), threads=40)
    assert {answered.status for answered in answers} == {200}
    assert {answered.json()["sha256"] for answered in answers} == {digest}


def test_a_client_definition_of_another_api_is_not_renewed_by_its_401(start_daemon, authorization_server, api_server):
    daemon = start_daemon({"clients": {"a": client(authorization_server), "b": client(authorization_server)},
                           "apis": {"x": api(api_server, "a"), "y": api(api_server, "b")}})
    kept = daemon.get_token("b").token
    api_server.refused.add(daemon.get_token("a").token)
    assert daemon.call("x", "/").status == 200
    assert daemon.get_token("b").token == kept


def test_a_denied_wish_for_a_rejected_token_sends_nothing(serve, api_server):
    assert_problem(serve().call("x", "/", headers=[("Grantd-Scope", "more")]), "access_denied")
    assert api_server.count == 0
