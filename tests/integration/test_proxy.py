"""Requests through the daemon: what passes unchanged, what is replaced, and which paths are refused."""

import json
import urllib.parse

import pytest

from api_server import raw, respond
from authorization_server import answer, oauth_error
from grantd import api, client
from local_http import BrokenOff
from problems import assert_problem


@pytest.fixture
def serve(start_daemon, authorization_server, api_server):
    """A daemon with the API `x` of client `a`; keyword arguments are keys of the API."""

    def start(client_keys=None, **keys):
        return start_daemon({"clients": {"a": client(authorization_server, **(client_keys or {}))},
                             "apis": {"x": api(api_server, "a", **keys)}})

    return start


def headers_of(echo):
    return {name.lower(): value for name, value in echo.json()["headers"]}


def test_the_token_is_put_in_place_of_the_callers_credentials(serve, api_server):
    daemon = serve()
    echo = daemon.call("x", "/test", headers=[("Authorization", "Basic eDp5"), ("DPoP", "proof")])
    assert echo.status == 200
    received = headers_of(echo)
    assert received["authorization"] == "Bearer " + daemon.get_token("a").token
    assert "dpop" not in received
    assert received["host"] == f"127.0.0.1:{api_server.port}"
    assert len(api_server.requests[0].header_values("Authorization")) == 1


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "QUERY"])
def test_method_path_query_and_body_pass_unchanged(serve, method):
    daemon = serve()
    path = "/a%20b/c%C3%A4/'()*;p=1/~x//y?q=%2F&q=a+b&?=/&empty"
    body = bytes(range(256)) if method not in ("GET", "DELETE", "OPTIONS") else b""
    echo = daemon.call("x", path, method, [("X-Mixed-Case", "Value  with  spaces")], body).json()
    assert echo["method"] == method and echo["target"] == path
    assert echo["body"].encode("latin-1") == body
    assert ["X-Mixed-Case", "Value  with  spaces"] in echo["headers"]


@pytest.mark.parametrize("base, path, target", [
    ("", "/t", "/t"), ("/", "/t", "/t"), ("/v1", "/t", "/v1/t"), ("/v1/", "/t", "/v1/t"), ("/v1", "/", "/v1/"),
    ("/v1", "/?q", "/v1/?q")])
def test_one_slash_joins_base_and_path(serve, api_server, base, path, target):
    assert serve(base_url=api_server.origin + base).call("x", path).json()["target"] == target


def test_both_addressings_reach_the_same_path(serve):
    daemon = serve()
    by_path = daemon.call("x", "/a/b?c=d").json()["target"]
    by_host = daemon.request("GET", "/a/b?c=d", host="x").json()["target"]
    assert by_path == by_host == "/a/b?c=d"


def test_the_proxys_prefix_without_a_path_is_the_root(serve):
    daemon = serve()
    assert daemon.get("/v1/proxy/x/").json()["target"] == "/"
    bare = daemon.get("/v1/proxy/x")
    assert bare.status in (200, 404)


def test_hop_by_hop_headers_stop_at_the_proxy_both_ways(serve, api_server):
    daemon = serve()
    hop_by_hop = [("Connection", "keep-alive, X-Private"), ("X-Private", "1"), ("Keep-Alive", "timeout=5"),
                  ("Proxy-Authorization", "Basic eDp5"), ("Proxy-Connection", "close"), ("TE", "trailers")]
    received = headers_of(daemon.call("x", "/", headers=hop_by_hop))
    assert not {"x-private", "keep-alive", "proxy-authorization", "proxy-connection", "te"} & set(received)
    api_server.on("/answer", respond(200, [("Connection", "X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=1"),
                                           ("Proxy-Authenticate", "Basic"), ("X-Kept", "a"), ("X-Kept", "b"),
                                           ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], b"body"))
    answered = daemon.call("x", "/answer")
    assert answered.body == b"body"
    assert answered.header("X-Hop") is None and answered.header("Proxy-Authenticate") is None
    assert answered.header_values("X-Kept") == ["a", "b"]
    assert answered.header_values("Set-Cookie") == ["a=1", "b=2"]


def test_fixed_headers_take_the_place_of_the_callers(serve):
    daemon = serve(headers={"X-Tenant": "blue", "Accept": "text/plain"})
    echo = daemon.call("x", "/", headers=[("x-tenant", "red"), ("ACCEPT", "*/*"), ("X-Other", "kept")])
    received = headers_of(echo)
    assert received["x-tenant"] == "blue" and received["accept"] == "text/plain" and received["x-other"] == "kept"
    names = [name.lower() for name, _ in echo.json()["headers"]]
    assert names.count("x-tenant") == 1


def test_grantds_own_headers_travel_neither_way(serve, api_server):
    daemon = serve({"scope": "s"})
    api_server.on("/", respond(200, [("Grantd-Error", "forged"), ("Grantd-Retried", "401"), ("X-Kept", "1")]))
    answered = daemon.call("x", "/", headers=[("Grantd-Scope", "s"), ("grantd-whatever", "1")])
    assert answered.status in (200, 400)
    assert not [name for name, _ in answered.headers if name.lower().startswith("grantd-")] or answered.status == 400
    for request in api_server.requests:
        assert not [name for name, _ in request.headers if name.lower().startswith("grantd-")]


@pytest.mark.parametrize("path", [
    "/..", "/../x", "/a/../b", "/a/..", "/.", "/./a", "/a/./b", "/%2e%2e/x", "/%2E%2E", "/.%2e/x", "/%2e/x",
    "/a%2f..%2fb", "/a/..%2Fb", "/..;x/y", "/..;/x", "/%2e%2e;p=1/x", "/a\\..\\b", "/a%5c..%5cb", "/a%5C%2e%2e"])
def test_a_path_that_climbs_is_refused(serve, api_server, authorization_server, path):
    daemon = serve(base_url=api_server.origin + "/v1")
    refused = daemon.call("x", path)
    assert_problem(refused, "invalid_request")
    assert daemon.request("GET", path, host="x").status == 400
    assert api_server.count == 0


@pytest.mark.parametrize("path", ["/...", "/a..b", "/..a", "/.well-known/x", "/a?b=../c", "/%252e%252e/x", "/a%20.",
                                  "/;x"])
def test_a_path_that_only_looks_like_climbing_passes(serve, path):
    assert serve().call("x", path).json()["target"] == path


def test_the_local_apis_error_is_told_from_the_apis_own(serve, api_server):
    daemon = serve()
    api_server.on("/missing", respond(404, [("Content-Type", "application/problem+json")], b'{"code": "unknown_api"}'))
    assert daemon.call("x", "/missing").header("Grantd-Error") is None
    refused = daemon.request("TRACE", "/", host="x")
    assert_problem(refused, "method_not_allowed")
    assert refused.header("Grantd-Error") == "method_not_allowed"
    unknown = daemon.get("/v1/proxy/y/")
    assert_problem(unknown, "unknown_api")
    assert unknown.header("Grantd-Error") == "unknown_api"


def test_connect_is_refused(serve, api_server):
    daemon = serve()
    assert daemon.request("CONNECT", "/v1/proxy/x/", []).status in (400, 405)
    with daemon.connect() as connection:
        connection.send(b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n")
        assert connection.read_response().status in (400, 405)
    assert api_server.count == 0


@pytest.mark.parametrize("trouble", [answer(503), oauth_error("invalid_client", 401)], ids=["unavailable", "rejected"])
def test_nothing_is_sent_to_the_api_without_a_token(serve, api_server, authorization_server, trouble):
    authorization_server.otherwise = trouble
    daemon = serve({"request_timeout": "1s"})
    failed = daemon.call("x", "/test", "POST", body=b"data")
    assert failed.code in ("authorization_server_unavailable", "token_request_rejected", "token_request_timeout")
    assert failed.header("Grantd-Error") == failed.code
    assert api_server.count == 0 and api_server.connections == 0


def test_an_api_has_its_own_scope_resource_audience_and_parameters(start_daemon, authorization_server, api_server):
    daemon = start_daemon({
        "clients": {"a": client(authorization_server, scope="one two", resource="urn:one", audience="one")},
        "apis": {"plain": api(api_server, "a"),
                 "own": api(api_server, "a", scope="three", resource=["urn:three"], audience="three",
                            parameters={"p": "three"})}})
    assert daemon.call("plain").status == daemon.call("own").status == 200
    assert api_server.tokens[0] != api_server.tokens[1]
    assert ("scope", "one two") in authorization_server.form(0)
    form = authorization_server.form(1)
    for pair in (("scope", "three"), ("resource", "urn:three"), ("audience", "three"), ("p", "three")):
        assert pair in form
    assert daemon.call("own", headers=[("Grantd-Scope", "three")]).status == 200  # a subset of the API's
    assert_problem(daemon.call("own", headers=[("Grantd-Scope", "one")]), "access_denied")


def test_a_call_may_say_which_token_it_wants(start_daemon, authorization_server, api_server):
    overrides = ["scope", "resource", "audience", "parameters", "assertion"]
    daemon = start_daemon({"clients": {"a": client(authorization_server, allow_overrides=overrides)},
                           "apis": {"x": api(api_server, "a")}})
    wishes = [("Grantd-Scope", "b a"), ("Grantd-Resource", "urn:x"), ("Grantd-Resource", "urn:y"),
              ("Grantd-Audience", "aud"), ("Grantd-Parameters", "p=1%202&q=3")]
    assert daemon.call("x", headers=wishes).status == 200
    form = authorization_server.form()
    for pair in (("scope", "a b"), ("resource", "urn:x"), ("resource", "urn:y"), ("audience", "aud"), ("p", "1 2"),
                 ("q", "3")):
        assert pair in form
    before = authorization_server.count
    assert daemon.call("x", headers=wishes).status == 200
    assert authorization_server.count == before
    assert daemon.call("x", headers=[*wishes, ("Grantd-Force-Renewal", "true")]).status == 200
    assert authorization_server.count == before + 1
    assert daemon.call("x", headers=[("Grantd-Assertion", "abc.def.ghi")]).status == 200
    assert ("client_assertion", "abc.def.ghi") in authorization_server.form()


@pytest.mark.parametrize("header", [("Grantd-Min-Valid", "soon"), ("Grantd-Force-Renewal", "maybe"),
                                    ("Grantd-Parameters", "grant_type=x"), ("Grantd-Scope", '"'),
                                    ("Grantd-Resource", "relative")])
def test_a_malformed_wish_for_a_call_is_refused(serve, api_server, header):
    refused = serve().call("x", headers=[header])
    assert_problem(refused, "invalid_request")
    assert refused.header("Grantd-Error") == "invalid_request" and api_server.count == 0


def test_head_keeps_its_meaning(serve, api_server):
    api_server.on("/big", respond(200, [("Content-Length", 1000000), ("ETag", '"x"')]))
    daemon = serve()
    with daemon.connect() as connection:
        for _ in range(2):
            connection.send_request("HEAD", "/v1/proxy/x/big")
            head = connection.read_response("HEAD")
            assert head.header("Content-Length") == "1000000" and head.header("ETag") == '"x"'
        assert connection.request("GET", "/healthz").status == 200


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_keeps_the_connection_in_step(serve, api_server, status):
    api_server.on("/none", raw(b"HTTP/1.1 %d X\r\nETag: x\r\n\r\n" % status, keep_alive=True))
    daemon = serve()
    with daemon.connect() as connection:
        for _ in range(3):
            assert connection.request("GET", "/v1/proxy/x/none").status == status
        assert connection.request("GET", "/healthz").status == 200


def test_interim_responses_are_not_taken_for_the_answer(serve, api_server):
    api_server.on("/hints", raw(b"HTTP/1.1 103 Early Hints\r\nLink: </style>\r\n\r\n",
                                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", pause=0.05))
    answered = serve().call("x", "/hints")
    assert answered.status == 200 and answered.body == b"ok"


def test_bytes_that_are_no_text_pass_in_header_values(serve, api_server):
    api_server.on("/bytes", raw(b"HTTP/1.1 200 OK\r\nX-Name: na\xefve\r\nX-Percent: %0d%0aX: 1\r\n"
                                b"Content-Length: 0\r\n\r\n"))
    answered = serve().call("x", "/bytes")
    assert answered.header("X-Name") == "na\xefve" and answered.header("X-Percent") == "%0d%0aX: 1"


def test_tls_towards_the_api_is_checked(start_daemon, authorization_server, certificate_authority, server_certificate):
    from api_server import ApiServer

    server = ApiServer(server_certificate)
    try:
        daemon = start_daemon({"clients": {"a": client(authorization_server)}, "apis": {
            "good": api(server, "a", tls_ca_file=certificate_authority.certificate),
            "distrusting": api(server, "a"),
            "misnamed": api(server, "a", tls_ca_file=certificate_authority.certificate,
                            base_url=f"https://localhost:{server.port}"),
        }})
        assert daemon.call("good", "/t", "POST", body=b"x" * 100000).status == 200
        for name in ("distrusting", "misnamed"):
            assert_problem(daemon.call(name, "/t"), "api_unreachable", api=name)
        assert server.count == 1
    finally:
        server.close()


def test_connections_to_the_api_are_kept_and_shared_by_callers(serve, api_server):
    daemon = serve()
    for _ in range(20):
        assert daemon.call("x", "/").status == 200
    assert api_server.count == 20
    assert api_server.connections <= 2


def test_a_pooled_connection_that_the_api_closed_is_not_an_error(serve, api_server):
    daemon = serve()
    api_server.on("/last", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))  # closes without saying so
    for _ in range(5):
        assert daemon.call("x", "/last").status == 200
        assert daemon.call("x", "/").status == 200


def test_a_request_that_must_not_be_repeated_is_not_repeated(serve, api_server):
    """A connection that breaks after a POST was read: the API may have acted."""
    api_server.on("/act", raw())
    daemon = serve()
    assert daemon.call("x", "/").status == 200
    assert_problem(daemon.call("x", "/act", "POST", body=b"pay"), "api_unreachable", api="x")
    assert len([request for request in api_server.requests if request.path == "/act"]) == 1


@pytest.mark.parametrize("answered", [b"", b"HTTP/1.1 200 OK\r\nContent-", b"garbage\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n",
                                      b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                                      b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                                      b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
                                      b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n"])
def test_an_answer_that_is_no_http_is_an_unreachable_api(serve, api_server, answered):
    api_server.on("/bad", raw(answered))
    daemon = serve()
    failed = daemon.call("x", "/bad", "POST", body=b"x")
    assert_problem(failed, "api_unreachable", api="x")
    assert failed.header("Grantd-Error") == "api_unreachable"


@pytest.mark.parametrize("head, body", [(b"Content-Length: 100", b"half"),
                                        (b"Transfer-Encoding: chunked", b"4\r\nhalf\r\n"),
                                        (b"Transfer-Encoding: chunked", b"4\r\nhalf\r\nzz\r\n")])
def test_a_broken_off_answer_ends_as_a_broken_off_answer(serve, api_server, head, body):
    api_server.on("/half", raw(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body))
    with pytest.raises(BrokenOff):
        serve().call("x", "/half")


def test_an_unreachable_api_is_told(start_daemon, authorization_server, api_server):
    api_server.close()
    daemon = start_daemon({"clients": {"a": client(authorization_server)}, "apis": {"x": api(api_server, "a")}})
    failed = daemon.call("x", "/")
    assert_problem(failed, "api_unreachable", api="x")
    assert "Bearer" not in json.dumps(failed.json()) and urllib.parse.quote("/") not in failed.json()["title"]


@pytest.mark.parametrize("head, status", [
    (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 40_000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    (b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 405),
], ids=["long head", "two lengths", "connect"])
def test_a_refusal_before_anybody_knows_whom_it_is_for_is_told_from_an_apis_answer(serve, head, status):
    with serve().connect() as connection:
        connection.send(head)
        answered = connection.read_response("GET")
    assert answered.status == status and answered.header("Grantd-Error") == answered.code


def test_extensions_of_an_apis_chunks_are_ignored(serve, api_server):
    def give(wire, request):
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n6  \r\n world\r\n0;end\r\n\r\n")
        return True

    api_server.on("/chunks", give)
    daemon = serve()
    for _ in range(2):
        assert daemon.call("x", "/chunks").body == b"hello world"
