"""Endpoints that the authorization server names itself (RFC 8414, OpenID Connect Discovery), and the way there."""

import json

import authorization_server as scripted
import pytest
from conftest import real_client
from api_server import ApiServer
from grantd import api, client, until
from http_proxy import HttpProxy
from problems import assert_problem
from real_authorization_server import RealAuthorizationServer

first, second = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"


def by_issuer(server, path="", **keys):
    definition = client(server, issuer=server.origin + path, **keys)
    del definition["token_endpoint"]
    return {"clients": {"a": definition}}


def document(server, path="", **members):
    return scripted.json_answer({"issuer": server.origin + path, "token_endpoint": server.token_endpoint} | members)


@pytest.fixture
def server(authorization_server):
    """A scripted server whose metadata is scripted apart, by path; the rest are token requests."""
    documents = {}
    plain = authorization_server.otherwise

    def give(wire, request):
        if request.method != "GET":
            return plain(wire, request)
        return documents.get(request.target, scripted.answer(404))(wire, request)

    authorization_server.otherwise = give
    authorization_server.documents = documents
    return authorization_server


def targets(server):
    return [request.target for request in server.requests]


def test_the_endpoints_of_a_real_issuer_are_found(start_daemon, real_server):
    definition = client(real_server, client_id="catalog", issuer=real_server.issuer,
                        client_secret=real_server.clients["catalog"]["client_secret"])
    del definition["token_endpoint"]
    daemon = start_daemon({"clients": {"a": definition}})
    assert real_server.introspect(daemon.get_token("a").token, "catalog")["active"]
    assert until(lambda: daemon.events("endpoints_discovered"))


@pytest.mark.parametrize("path, locations", [
    ("", [first, second]),
    ("/", [first, second]),
    ("/realms/x", [first + "/realms/x", "/realms/x" + second]),
    ("/realms/x/", [first + "/realms/x", "/realms/x" + second]),
])
def test_the_document_is_looked_for_where_the_standards_say(start_daemon, server, path, locations):
    server.documents[locations[1]] = document(server, path)
    assert start_daemon(by_issuer(server, path)).get_token("a").status == 200
    assert targets(server) == [*locations, "/token"]
    assert server.requests[0].header("Accept") == "application/json"


def test_a_document_is_asked_for_once_for_all_definitions_of_an_issuer(start_daemon, server):
    server.documents[first] = document(server)
    definitions = {name: by_issuer(server, client_id=name)["clients"]["a"] for name in "abc"}
    daemon = start_daemon({"clients": definitions})
    for name in "abc":
        assert daemon.get_token(name).status == 200
        assert daemon.post_token(name, force_renewal=True).status == 200
    assert targets(server).count(first) == 1


def test_a_document_survives_a_reload(start_daemon, server):
    server.documents[first] = document(server)
    daemon = start_daemon(by_issuer(server))
    assert daemon.get_token("a").status == 200
    server.documents.clear()
    assert daemon.reload().status == 204
    assert daemon.post_token("a", force_renewal=True).status == 200


@pytest.mark.parametrize("members, mention", [
    ({"issuer": "https://other.example"}, "issuer"),
    ({"issuer": None}, "issuer"),
    ({"token_endpoint": None}, "token_endpoint"),
    ({"token_endpoint": "http://other.example/token"}, "allow_endpoint_hosts"),
    ({"token_endpoint": "https://user:word@127.0.0.1/token"}, "user"),
    ({"token_endpoint": "https://127.0.0.1/token#x"}, "fragment"),
    ({"mtls_endpoint_aliases": {"token_endpoint": "https://other.example/token"}}, "allow_endpoint_hosts"),
], ids=["other issuer", "no issuer", "no endpoint", "other host", "user", "fragment", "alias on another host"])
def test_a_document_that_is_not_the_issuers_is_not_believed(start_daemon, server, members, mention):
    server.documents[first] = document(server, **members)
    daemon = start_daemon(by_issuer(server))
    problem = assert_problem(daemon.get_token("a"), "authorization_server_unavailable", client="a")
    assert mention in problem["detail"] and first in problem["detail"]
    assert not any(request.method == "POST" for request in server.requests)


@pytest.mark.parametrize("given", [
    scripted.answer(200, body="<html>"), scripted.answer(200, body="[1]"), scripted.answer(302, [("Location", "/x")]),
    scripted.answer(200, body="[" * 100_000), scripted.answer(200, body=b"\xff\xfe"),
], ids=["html", "array", "redirect", "deep", "binary"])
def test_what_is_no_document_is_an_error_with_its_reason(start_daemon, server, given):
    server.documents[first] = server.documents[second] = given
    problem = assert_problem(start_daemon(by_issuer(server)).get_token("a"), "authorization_server_unavailable")
    assert "well-known" in problem["detail"]
    assert targets(server) == [first, second]


def test_a_document_over_a_mebibyte_is_refused(start_daemon, server):
    server.documents[first] = document(server, padding="x" * (1 << 20))
    assert_problem(start_daemon(by_issuer(server)).get_token("a"), "authorization_server_unavailable")


def test_a_lookup_that_fails_is_tried_again_like_a_token_request(start_daemon, server):
    failures = [scripted.answer(503), scripted.answer(404), scripted.answer(500), scripted.answer(404)]

    def recovers(wire, request):
        given = failures.pop(0) if failures else document(server)
        return given(wire, request)

    server.documents[first] = server.documents[second] = recovers
    assert start_daemon(by_issuer(server)).get_token("a").status == 200
    assert targets(server) == [first, second, first, second, first, "/token"]


def test_a_lookup_that_keeps_failing_ends_and_is_remembered(start_daemon, server):
    server.documents[first] = server.documents[second] = scripted.answer(503)
    daemon = start_daemon(by_issuer(server))
    for _ in range(3):
        answer = daemon.get_token("a")
        problem = assert_problem(answer, "authorization_server_unavailable")
        assert "503" in problem["detail"] and answer.header("Retry-After")
    assert len(targets(server)) == 6


def test_another_host_may_be_named(start_daemon, server):
    server.documents[first] = document(server, token_endpoint=server.token_endpoint.replace("127.0.0.1", "127.0.0.2"))
    daemon = start_daemon(by_issuer(server, allow_endpoint_hosts=["127.0.0.2"]))
    problem = assert_problem(daemon.get_token("a"), "authorization_server_unavailable")
    assert "127.0.0.2" in problem["detail"]  # believed, and nobody listens there


def test_an_endpoint_that_moved_is_found_again(start_daemon, server):
    server.documents[first] = document(server, token_endpoint=server.origin + "/old")
    daemon = start_daemon(by_issuer(server))
    assert daemon.get_token("a").status == 200
    server.script(scripted.answer(404))
    server.documents[first] = document(server, token_endpoint=server.origin + "/new")
    assert_problem(daemon.post_token("a", force_renewal=True), "token_request_rejected")
    assert until(lambda: daemon.post_token("a", force_renewal=True).status == 200)
    assert targets(server)[-1] == "/new"


def test_a_method_that_the_server_does_not_offer_is_warned_of(start_daemon, server):
    server.documents[first] = document(server, token_endpoint_auth_methods_supported=["private_key_jwt", "none"])
    daemon = start_daemon(by_issuer(server))
    for _ in range(3):
        assert daemon.post_token("a", force_renewal=True).status == 200
    (warning,) = until(lambda: daemon.events("auth_method_not_offered"))
    assert warning.startswith("<4>") and "client_secret_basic" in warning and "private_key_jwt" in warning


def test_the_issuer_is_the_audience_of_assertions(start_daemon, server, directory):
    import certificates
    from test_client_authentication import assertion_of

    key = directory / "key.pem"
    certificates.make_private_key(key, "ES256")
    server.documents[first] = document(server)
    configuration = by_issuer(server, private_key_file=key)
    del configuration["clients"]["a"]["client_secret"]
    assert start_daemon(configuration).get_token("a").status == 200
    assert assertion_of(server)[1]["aud"] == server.origin


def test_a_client_with_a_certificate_goes_where_certificates_are_asked_for(start_daemon, certificate_authority,
                                                                          server_certificate, directory):
    import certificates
    from authorization_server import AuthorizationServer

    server = AuthorizationServer(server_certificate)
    pair = certificates.make_client_certificate(directory, "me")
    server.script(document(server, mtls_endpoint_aliases={"token_endpoint": server.origin + "/mtls"}))
    configuration = by_issuer(server, token_endpoint_auth_method="tls_client_auth", tls_cert_file=pair.certificate,
                              tls_key_file=pair.key, tls_ca_file=certificate_authority.certificate)
    del configuration["clients"]["a"]["client_secret"]
    try:
        assert start_daemon(configuration).get_token("a").status == 200
        assert targets(server) == [first, "/mtls"]
        assert ("client_id", "worker") in server.form()
    finally:
        server.close()


# The way there


@pytest.fixture
def proxy():
    made = HttpProxy()
    yield made
    made.close()


def test_plain_requests_go_through_the_proxy_in_absolute_form(start_daemon, server, proxy):
    server.documents[first] = document(server)
    assert start_daemon(by_issuer(server, http_proxy=proxy.url)).get_token("a").status == 200
    assert proxy.targets == [f"GET {server.origin}{first}", f"POST {server.origin}/token"]
    assert server.requests[1].header("Host") == f"127.0.0.1:{server.port}"


def test_tls_goes_through_a_tunnel_of_the_proxy(start_daemon, certificate_authority, server_certificate, proxy):
    real = RealAuthorizationServer([real_client("tls")], certificate=server_certificate)
    try:
        daemon = start_daemon({"clients": {"a": client(
            real, client_id="tls", client_secret=real.clients["tls"]["client_secret"], http_proxy=proxy.url,
            tls_ca_file=certificate_authority.certificate)}})
        assert daemon.get_token("a").status == 200
        assert proxy.targets == ["CONNECT " + real.issuer.removeprefix("https://")]
        assert b"Authorization" not in proxy.requests[0].raw_head
    finally:
        real.close()


def test_a_proxy_that_refuses_is_named_in_the_error(start_daemon, server):
    proxy = HttpProxy(status=407)
    definition = client(server, token_endpoint=f"https://127.0.0.1:{server.port}/token", http_proxy=proxy.url)
    try:
        problem = assert_problem(start_daemon({"clients": {"a": definition}}).get_token("a"),
                                 "authorization_server_unavailable")
        assert "http_proxy" in problem["detail"] and "407" in problem["detail"]
    finally:
        proxy.close()


def test_the_deadline_holds_against_a_proxy_that_says_nothing(start_daemon, server):
    silent = HttpProxy()
    silent.serve = lambda wire, request: wire.peer_has_closed(30) and False
    definition = client(server, token_endpoint=f"https://127.0.0.1:{server.port}/token", http_proxy=silent.url,
                        request_timeout="300ms")
    try:
        assert_problem(start_daemon({"clients": {"a": definition}}).get_token("a"), "token_request_timeout")
    finally:
        silent.close()


def test_a_document_is_json_whatever_its_content_type(start_daemon, server):
    text = json.dumps({"issuer": server.origin, "token_endpoint": server.token_endpoint})
    server.documents[first] = scripted.answer(200, [("Content-Type", "text/plain")], text)
    assert start_daemon(by_issuer(server)).get_token("a").status == 200


def test_calls_go_through_the_apis_proxy_in_absolute_form(start_daemon, authorization_server, api_server, proxy):
    daemon = start_daemon({"clients": {"a": client(authorization_server)},
                           "apis": {"x": api(api_server, "a", http_proxy=proxy.url)}})
    assert daemon.call("x", "/test?q=1", "POST", body=b"payload").status == 200
    assert proxy.targets == [f"POST {api_server.origin}/test?q=1"]
    assert api_server.requests[0].header("Host") == f"127.0.0.1:{api_server.port}"


def test_calls_to_an_api_with_tls_go_through_a_tunnel(start_daemon, authorization_server, certificate_authority,
                                                      server_certificate, proxy):
    server = ApiServer(server_certificate)
    definition = api(server, "a", http_proxy=proxy.url, tls_ca_file=certificate_authority.certificate)
    try:
        daemon = start_daemon({"clients": {"a": client(authorization_server)}, "apis": {"x": definition}})
        for _ in range(2):  # the second on the same connection
            assert daemon.call("x", "/test").status == 200
        assert proxy.targets == [f"CONNECT 127.0.0.1:{server.port}"]
        assert b"Authorization" not in proxy.requests[0].raw_head
        assert len(server.requests) == 2
    finally:
        server.close()


@pytest.mark.parametrize("answer, mention", [
    (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "403"), (b"garbage\r\n\r\n", "no response"), (b"", "closed"),
    (b"HTTP/1.1 200 OK\r\n\r\ntoo early", "no response"), (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000, "no response"),
], ids=["refused", "garbage", "nothing", "bytes behind the head", "endless head"])
def test_a_proxy_that_opens_no_tunnel_is_named(start_daemon, authorization_server, answer, mention):
    lying = HttpProxy()

    def give(wire, request):
        wire.send(answer)
        return False

    lying.serve = give
    definition = {"client": "a", "base_url": "https://127.0.0.1:1", "http_proxy": lying.url}
    try:
        daemon = start_daemon({"clients": {"a": client(authorization_server)}, "apis": {"x": definition}})
        problem = assert_problem(daemon.call("x", "/test"), "api_unreachable")
        assert "http_proxy" in problem["detail"] and mention in problem["detail"]
    finally:
        lying.close()
