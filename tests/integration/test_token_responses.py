"""How each kind of answer of a token endpoint is judged: what is a token, what is an error, what is tried again."""

import base64
import json
import time

import pytest

from authorization_server import (ABSENT, AuthorizationServer, answer, close, endless, json_answer, new_token,
                                  oauth_error, raw, token)
from grantd import client, until
from problems import assert_problem


def one(server, **keys):
    return {"clients": {"a": client(server, **keys)}}


def jwt(**claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none'})}.{part(claims)}.c2ln"


@pytest.mark.parametrize("members, lifetime", [
    ({"expires_in": 1234}, 1234),
    ({"expires_in": "1234"}, 1234),
    ({"expires_in": 10**9}, 365 * 86400),
    ({"expires_in": "99999999999999999999"}, 365 * 86400),
    ({"expires_in": None}, 777),
    ({"expires_in": ABSENT}, 777),
    ({"expires_in": ABSENT, "access_token": lambda: jwt(exp=int(time.time()) + 5000)}, 5000),
    ({"expires_in": None, "access_token": lambda: jwt(sub="no exp")}, 777),
], ids=["number", "string", "over a year", "huge string", "null", "missing", "exp of a jwt", "jwt without exp"])
def test_the_lifetime_of_a_token(start_daemon, authorization_server, members, lifetime):
    members = {name: value() if callable(value) else value for name, value in members.items()}
    authorization_server.script(token(**members))
    daemon = start_daemon(one(authorization_server, default_lifetime="777s"))
    assert lifetime - 30 <= daemon.get_token("a").json()["expires_in"] <= lifetime
    assert daemon.get_token("a").status == 200
    assert authorization_server.count == 1  # a token whose expiry the server did not say is cached as well


@pytest.mark.parametrize("expires_in", [0, -5, "0"])
def test_a_token_that_is_born_expired_goes_to_those_who_wait_and_nobody_else(start_daemon, authorization_server,
                                                                             expires_in):
    authorization_server.script(token(expires_in=expires_in))
    daemon = start_daemon(one(authorization_server))
    first = daemon.get_token("a")
    assert first.status == 200 and first.json()["expires_in"] == 0
    assert daemon.get_token("a").token != first.token
    assert authorization_server.count == 2


@pytest.mark.parametrize("token_type", ["bearer", "BEARER", ABSENT], ids=["lower", "upper", "missing"])
def test_the_token_type_is_bearer_in_any_case(start_daemon, authorization_server, token_type):
    authorization_server.script(token(token_type=token_type))
    assert start_daemon(one(authorization_server)).get_token("a").json()["token_type"] == "Bearer"


def test_the_longest_token_is_accepted(start_daemon, authorization_server):
    long = new_token().ljust(16384, "x")
    authorization_server.script(token(access_token=long))
    assert start_daemon(one(authorization_server)).get_token("a").token == long


def test_the_scope_asked_for_is_told_where_the_server_says_nothing(start_daemon, authorization_server):
    authorization_server.script(token(), token(scope="narrow"))
    daemon = start_daemon(one(authorization_server, scope="b a"))
    assert daemon.get_token("a").json()["scope"] == "a b"
    assert daemon.post_token("a", force_renewal=True).json()["scope"] == "narrow"


no_tokens = {
    "no access_token": token(access_token=ABSENT),
    "empty token": token(access_token=""),
    "token that is a number": token(access_token=5),
    "token of 16385 characters": token(access_token="x" * 16385),
    "token with a space": token(access_token="a b\nc"),
    "token with a line break": token(access_token="a\r\nX-Injected: 1"),
    "token beyond ASCII": token(access_token="tökén"),
    "unknown token type": token(token_type="mac"),
    "array": json_answer([1]),
    "text": answer(200, [("Content-Type", "text/html")], "<html>Welcome</html>"),
    "broken JSON": answer(200, [("Content-Type", "application/json")], '{"access_token": "x'),
    "deep JSON": answer(200, [("Content-Type", "application/json")], "[" * 200_000),
    "over a megabyte": answer(200, [("Content-Type", "application/json")],
                              json.dumps({"access_token": "x", "fill": "x" * (1 << 20)}), keep_alive=False),
}


@pytest.mark.parametrize("case", no_tokens)
def test_an_answer_that_is_no_token(start_daemon, authorization_server, case):
    authorization_server.otherwise = no_tokens[case]
    daemon = start_daemon(one(authorization_server))
    assert_problem(daemon.get_token("a"), "invalid_token_response", client="a")
    assert authorization_server.count == 1
    assert_problem(daemon.get_token("a"), "invalid_token_response")  # remembered
    assert authorization_server.count == 1


def test_an_endless_body_is_cut_off(start_daemon, authorization_server):
    authorization_server.otherwise = endless(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"10000\r\n" + b" " * 65536 + b"\r\n")
    daemon = start_daemon(one(authorization_server))
    started = time.monotonic()
    assert daemon.get_token("a").status in (502, 503)
    assert time.monotonic() - started < 8
    assert daemon.memory() < 512 << 20


def test_an_endless_head_is_cut_off(start_daemon, authorization_server):
    authorization_server.otherwise = endless(b"HTTP/1.1 200 OK\r\n", b"X-Filler: " + b"x" * 1000 + b"\r\n")
    daemon = start_daemon(one(authorization_server, request_timeout="2s"))
    before = daemon.memory()
    assert daemon.get_token("a").status in (502, 503, 504)
    assert daemon.memory() - before < 64 << 20


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_error_and_never_followed(start_daemon, authorization_server, status):
    elsewhere = AuthorizationServer()
    try:
        authorization_server.otherwise = answer(status, [("Location", elsewhere.token_endpoint)])
        daemon = start_daemon(one(authorization_server))
        response = daemon.get_token("a")
        assert response.status == 502 and response.code in ("invalid_token_response", "token_request_rejected")
        assert elsewhere.count == 0 and authorization_server.count == 1
    finally:
        elsewhere.close()


@pytest.mark.parametrize("error, status", [("invalid_client", 401), ("invalid_scope", 400), ("access_denied", 403),
                                           ("unauthorized_client", 400), ("server_has_odd_code", 400)])
def test_an_oauth_error_is_answered_at_once(start_daemon, authorization_server, error, status):
    authorization_server.otherwise = oauth_error(error, status, "because of reasons")
    daemon = start_daemon(one(authorization_server))
    document = assert_problem(daemon.get_token("a"), "token_request_rejected", oauth_error=error, client="a",
                              oauth_error_description="because of reasons")
    assert document["retry_after"] == 1
    assert authorization_server.count == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_any_other_4xx_is_a_rejection_as_well(start_daemon, authorization_server, status):
    authorization_server.otherwise = answer(status, [("Content-Type", "text/html")], "<h1>No</h1>")
    document = assert_problem(start_daemon(one(authorization_server)).get_token("a"), "token_request_rejected")
    assert str(status) in document["detail"] and "oauth_error" not in document
    assert authorization_server.count == 1


def test_an_error_description_cannot_break_out_of_its_place(start_daemon, authorization_server):
    description = 'a"b\r\nX-Injected: 1\x00\x1b[31m' + "x" * 100_000
    authorization_server.otherwise = oauth_error("invalid_scope", description=description)
    daemon = start_daemon(one(authorization_server))
    response = daemon.get_token("a")
    document = assert_problem(response, "token_request_rejected")
    assert response.header("X-Injected") is None
    assert len(document["oauth_error_description"]) < 5000
    assert all(" " <= character <= "~" for character in document["oauth_error_description"])
    assert "\x1b" not in daemon.log()


unavailable = {
    "500": answer(500), "502": answer(502, body="<html>"), "503": answer(503), "504": answer(504),
    "429": answer(429), "408": answer(408), "5xx with an OAuth error": oauth_error("invalid_client", 503),
    "connection closed": close(), "head broken off": raw(b"HTTP/1.1 200 OK\r\nContent-"),
    "body broken off": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
}


@pytest.mark.parametrize("case", unavailable)
def test_a_passing_trouble_is_tried_three_times(start_daemon, authorization_server, case):
    authorization_server.otherwise = unavailable[case]
    daemon = start_daemon(one(authorization_server))
    response = daemon.get_token("a")
    document = assert_problem(response, "authorization_server_unavailable", client="a")
    assert authorization_server.count == 3
    assert int(response.header("Retry-After")) == document["retry_after"] >= 1
    assert_problem(daemon.get_token("a"), "authorization_server_unavailable")  # remembered
    assert authorization_server.count == 3


@pytest.mark.parametrize("case", unavailable)
def test_a_passing_trouble_is_not_seen_by_the_caller(start_daemon, authorization_server, case):
    authorization_server.script(unavailable[case])
    assert start_daemon(one(authorization_server)).get_token("a").status == 200
    assert authorization_server.count == 2


def test_three_empty_answers_are_no_token(start_daemon, authorization_server):
    authorization_server.otherwise = answer(200)
    assert_problem(start_daemon(one(authorization_server)).get_token("a"), "invalid_token_response")
    assert authorization_server.count == 3


def test_an_empty_answer_is_tried_again(start_daemon, authorization_server):
    authorization_server.script(answer(200))
    assert start_daemon(one(authorization_server)).get_token("a").status == 200


def test_garbage_instead_of_http_is_an_error(start_daemon, authorization_server):
    authorization_server.otherwise = raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n\x00\x01\x02")
    response = start_daemon(one(authorization_server)).get_token("a")
    assert response.code in ("invalid_token_response", "authorization_server_unavailable")


def test_retry_after_is_obeyed_between_attempts(start_daemon, authorization_server):
    authorization_server.script(answer(503, [("Retry-After", "1")]))
    assert start_daemon(one(authorization_server)).get_token("a").status == 200
    assert authorization_server.intervals()[0] >= 0.95


def test_a_retry_after_beyond_the_deadline_is_remembered_and_not_waited_for(start_daemon, authorization_server):
    authorization_server.otherwise = answer(429, [("Retry-After", "120")])
    daemon = start_daemon(one(authorization_server, request_timeout="2s"))
    started = time.monotonic()
    document = assert_problem(daemon.get_token("a"), "authorization_server_unavailable")
    assert 110 <= document["retry_after"] <= 120
    assert time.monotonic() - started < 5
    assert_problem(daemon.get_token("a"), "authorization_server_unavailable")
    assert authorization_server.count == 1


def test_a_retry_after_of_a_date_is_obeyed(start_daemon, authorization_server):
    when = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 100))
    authorization_server.otherwise = answer(503, [("Retry-After", when)])
    daemon = start_daemon(one(authorization_server))
    document = assert_problem(daemon.get_token("a"), "authorization_server_unavailable")
    assert 80 <= document["retry_after"] <= 100


def test_no_retry_after_counts_for_more_than_five_minutes(start_daemon, authorization_server):
    authorization_server.otherwise = answer(503, [("Retry-After", "1000000")])
    daemon = start_daemon(one(authorization_server))
    document = assert_problem(daemon.get_token("a"), "authorization_server_unavailable")
    assert 290 <= document["retry_after"] <= 300


def test_an_unreachable_server_is_unavailable(start_daemon, authorization_server):
    authorization_server.close()
    daemon = start_daemon(one(authorization_server))
    document = assert_problem(daemon.get_token("a"), "authorization_server_unavailable")
    assert document["retry_after"] >= 1
    assert until(lambda: daemon.clients()["a"]["state"] == "failing")


def test_an_interim_response_is_not_taken_for_the_answer(start_daemon, authorization_server):
    body = json.dumps({"access_token": new_token(), "token_type": "Bearer", "expires_in": 60}).encode()
    authorization_server.otherwise = raw(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n"
                                         b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    response = start_daemon(one(authorization_server)).get_token("a")
    assert response.status in (200, 502, 503)
    assert response.status == 200 or response.code
