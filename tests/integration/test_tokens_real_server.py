"""Tokens from a real authorization server, checked by its own introspection."""

import json
import time

import pytest

from grantd import api, client, until
from problems import assert_problem


def definition(server, client_id, **keys):
    return client(server, client_id=client_id, client_secret=server.clients[client_id]["client_secret"]) | keys


def test_a_token_of_client_secret_basic_is_active(start_daemon, real_server):
    daemon = start_daemon({"clients": {"catalog.client": definition(real_server, "catalog", scope="catalog")}})
    answer = daemon.get_token("catalog.client")
    document = answer.json()
    assert answer.header("Cache-Control") == "no-store"
    assert set(document) == {"access_token", "token_type", "expires_in", "expires_at", "scope", "client", "version"}
    assert document["token_type"] == "Bearer" and document["scope"] == "catalog"
    assert document["client"] == "catalog.client"
    assert 590 <= document["expires_in"] <= 600
    found = real_server.introspect(document["access_token"], "catalog")
    assert found["active"] and found["client_id"] == "catalog" and found["scope"] == "catalog"
    expires_at = time.strptime(document["expires_at"], "%Y-%m-%dT%H:%M:%SZ")
    assert abs(time.mktime(expires_at) - time.timezone - found["exp"]) <= 2


def test_a_token_of_client_secret_post_with_odd_characters_is_active(start_daemon, real_server):
    daemon = start_daemon({"clients": {"a": definition(real_server, "post",
                                                       token_endpoint_auth_method="client_secret_post")}})
    assert real_server.introspect(daemon.get_token("a").token, "post")["active"]


def test_id_and_secret_are_form_encoded_before_basic(start_daemon, real_server):
    daemon = start_daemon({"clients": {"a": definition(real_server, "odd client: 100%+&")}})
    assert real_server.introspect(daemon.get_token("a").token, "odd client: 100%+&")["active"]


def test_a_server_that_form_decodes_refuses_an_odd_secret_of_rfc2617(start_daemon, real_server):
    daemon = start_daemon({"clients": {"a": definition(real_server, "odd client: 100%+&",
                                                       authorization_header_style="rfc2617")}})
    assert_problem(daemon.get_token("a"), "token_request_rejected")


def test_rfc2617_credentials_of_plain_characters_are_accepted(start_daemon, real_server):
    daemon = start_daemon({"clients": {"a": definition(real_server, "plain", authorization_header_style="rfc2617")}})
    assert real_server.introspect(daemon.get_token("a").token, "plain")["active"]


def test_a_token_is_bound_to_the_resource_asked_for(start_daemon, real_server):
    daemon = start_daemon({"clients": {"a": definition(
        real_server, "catalog", scope="catalog", resource="urn:api:catalog", allow_overrides=["resource", "scope"])}})
    first = daemon.get_token("a").token
    assert real_server.introspect(first, "catalog")["aud"] == "urn:api:catalog"
    other = daemon.get_token("a", "resource=https%3A%2F%2Finvoices.example%2Fapi&scope=invoices").token
    found = real_server.introspect(other, "catalog")
    assert found["aud"] == "https://invoices.example/api" and found["scope"] == "invoices"
    assert daemon.get_token("a").token == first


def test_a_jwt_access_token_is_passed_on_whole(start_daemon, real_server):
    daemon = start_daemon({"clients": {"a": definition(real_server, "catalog", resource="urn:api:jwt")}})
    assert daemon.get_token("a").token.count(".") == 2


def test_the_servers_refusal_reaches_the_caller(start_daemon, real_server):
    daemon = start_daemon({"clients": {"a": definition(real_server, "catalog", resource="urn:api:unknown")}})
    document = assert_problem(daemon.get_token("a"), "token_request_rejected", oauth_error="invalid_target", client="a")
    assert document["oauth_error_description"] == "resource indicator is missing, or unknown"
    assert document["retry_after"] >= 1


def test_a_wrong_secret_is_tried_once_and_remembered(start_daemon, real_server):
    before = real_server.token_requests("catalog")
    daemon = start_daemon({"clients": {"a": client(real_server, client_id="catalog")}})
    for _ in range(20):
        assert_problem(daemon.get_token("a"), "token_request_rejected", oauth_error="invalid_client")
    after = real_server.token_requests("catalog")
    assert after - before <= 1


def test_scopes_the_server_drops_show_in_the_answer(start_daemon, real_server):
    daemon = start_daemon({"clients": {"a": definition(real_server, "catalog", scope="catalog unknown.to.server")}})
    answer = daemon.get_token("a")
    if answer.status == 200:
        assert answer.json()["scope"] == "catalog"
    else:
        assert_problem(answer, "token_request_rejected", oauth_error="invalid_scope")


def test_a_cached_token_costs_the_server_one_request(start_daemon, real_server):
    before = real_server.token_requests("metered")
    daemon = start_daemon({"clients": {"a": definition(real_server, "metered")}})
    assert len({daemon.get_token("a").token for _ in range(20)}) == 1
    assert real_server.token_requests("metered") - before == 1


def test_a_short_lived_token_is_renewed_before_it_expires(start_daemon, real_server):
    daemon = start_daemon({"clients": {"a": definition(real_server, "short", refresh_before_expiry="2s")}})
    first = daemon.get_token("a").json()
    deadline = time.monotonic() + 8
    while (now := daemon.get_token("a").json())["version"] == first["version"]:
        assert real_server.introspect(now["access_token"], "short")["active"]
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert now["access_token"] != first["access_token"]
    assert real_server.introspect(now["access_token"], "short")["active"]
    assert real_server.introspect(first["access_token"], "short")["active"]  # replaced while still valid


def test_a_forced_renewal_brings_another_token(start_daemon, real_server):
    daemon = start_daemon({"clients": {"a": definition(real_server, "catalog")}})
    first = daemon.get_token("a").json()
    second = daemon.post_token("a", force_renewal=True).json()
    assert second["access_token"] != first["access_token"] and second["version"] != first["version"]
    assert daemon.get_token("a").json()["access_token"] == second["access_token"]


def test_tls_towards_the_server_is_checked_against_the_given_authority(start_daemon, directory, certificate_authority,
                                                                       server_certificate):
    from conftest import real_client
    from real_authorization_server import RealAuthorizationServer

    server = RealAuthorizationServer([real_client("tls")], certificate=server_certificate)
    try:
        good = definition(server, "tls", tls_ca_file=certificate_authority.certificate)
        daemon = start_daemon({"clients": {"good": good, "distrusting": definition(server, "tls")}})
        assert daemon.get_token("good").status == 200
        document = assert_problem(daemon.get_token("distrusting"), "authorization_server_unavailable")
        assert "certificate" in document["detail"].lower()
        assert server.token_requests("tls") == 1
    finally:
        server.close()


def test_a_revoked_token_is_renewed_and_the_call_sent_again(start_daemon, real_server, api_server):
    """The worker's whole way: TOML, token, API call, and the API that asks the authorization server."""

    def protected(wire, request):
        request.body = b"".join(wire.body_pieces(request))
        found = real_server.introspect(request.bearer, "catalog")
        body = json.dumps({"active": found["active"]}).encode()
        wire.respond(200 if found["active"] else 401, [("Content-Type", "application/json")], body)
        return True

    api_server.on("/test", protected)
    daemon = start_daemon({"clients": {"c": definition(real_server, "catalog", scope="catalog")},
                           "apis": {"catalog": api(api_server, "c")}})
    assert daemon.call("catalog", "/test").json() == {"active": True}
    first = daemon.get_token("c").token
    real_server.revoke(first, "catalog")
    answer = daemon.call("catalog", "/test")
    assert answer.status == 200 and answer.json() == {"active": True}
    assert answer.header("Grantd-Retried") == "401"
    assert api_server.tokens[1] == first and api_server.tokens[2] != first
    assert daemon.get_token("c").token == api_server.tokens[2]


def test_many_renewals_in_a_row_never_hand_out_a_dead_token(start_daemon, real_server, in_parallel):
    daemon = start_daemon({"clients": {"a": definition(real_server, "short", refresh_before_expiry="1500ms")}})
    deadline = time.monotonic() + 5

    def use(_):
        seen = set()
        while time.monotonic() < deadline:
            answer = daemon.get_token("a")
            assert answer.status == 200 and answer.json()["expires_in"] >= 0
            if answer.token not in seen:
                seen.add(answer.token)
                assert real_server.introspect(answer.token, "short")["active"]
            time.sleep(0.05)
        return seen

    tokens = set().union(*in_parallel(use, range(4)))
    assert 2 <= len(tokens) <= 5


@pytest.mark.parametrize("query", ["scope=catalog%20catalog.read", "scope=catalog.read+catalog+catalog"])
def test_a_subset_of_the_configured_scopes_may_be_asked_for(start_daemon, real_server, query):
    daemon = start_daemon({"clients": {"a": definition(real_server, "catalog",
                                                       scope="catalog catalog.read catalog.write")}})
    token = daemon.get_token("a", query).token
    assert set(real_server.introspect(token, "catalog")["scope"].split()) == {"catalog", "catalog.read"}
    assert until(lambda: daemon.get_token("a", query).token) == token
