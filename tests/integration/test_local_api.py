"""The routes of the local API, their answers and their errors."""

import re

import pytest

from authorization_server import oauth_error
from grantd import api, client, new_secret
from problems import assert_problem


@pytest.fixture
def daemon(start_daemon, authorization_server, api_server):
    return start_daemon({
        "clients": {"catalog.client": client(authorization_server, scope="catalog"),
                    "other": client(authorization_server)},
        "apis": {"invoices": api(api_server, "catalog.client")},
    })


def test_a_token_answer(daemon):
    answer = daemon.get_token("catalog.client")
    document = answer.json()
    assert answer.header("Content-Type") == "application/json"
    assert answer.header("Cache-Control") == "no-store"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["expires_at"])
    assert isinstance(document["expires_in"], int) and document["version"]
    assert daemon.post_token("catalog.client").json() | {"expires_in": 0} == document | {"expires_in": 0}


def test_post_without_a_body_is_post_of_nothing(daemon):
    assert daemon.request("POST", "/v1/tokens/other").status == 200


@pytest.mark.parametrize("body", [b"[]", b"5", b'"x"', b"{", b"nonsense", b'{"scope": 5}', b'{"resource": "urn:x"}x',
                                  b'{"unknown": 1}', b'{"force_renewal": "yes"}', b'{"min_valid": "10"}',
                                  b'{"min_valid": -1}', b'{"min_valid": 1.5}', b'{"parameters": []}',
                                  b'{"parameters": {"a": 1}}', b'{"resource": [1]}', b'{"scope": "\xff"}',
                                  b'{"scope": "x", "scope": "y"}', b'{"assertion": 1}', b"[" * 30000],
                         ids=lambda body: body[:24].decode("latin-1"))
def test_a_body_that_is_no_token_request(daemon, authorization_server, body):
    assert_problem(daemon.request("POST", "/v1/tokens/other", body=body), "invalid_request")
    assert authorization_server.count == 0
    assert daemon.get("/healthz").status == 200


def test_a_null_member_counts_as_absent_or_is_refused(daemon):
    answer = daemon.request("POST", "/v1/tokens/other", body=b'{"scope": null}')
    assert answer.status == 200 or answer.code == "invalid_request"


def test_the_clients_a_caller_may_use(daemon):
    daemon.get_token("catalog.client")
    listed = daemon.clients()
    assert set(listed) == {"catalog.client", "other"}
    used, idle = listed["catalog.client"], listed["other"]
    assert used["state"] == "ready" and used["scope"] == "catalog"
    assert 3590 <= used["expires_in"] <= 3600 and 3500 <= used["renews_in"] <= 3560
    assert used["served"] == 1 and used["fetched"] == 1
    assert idle["state"] == "idle" and idle["served"] == 0 and idle["fetched"] == 0
    expected = {"name", "state", "scope", "expires_in", "renews_in", "served", "fetched", "last_error"}
    assert set(used) | set(idle) <= expected
    single = daemon.get("/v1/clients/catalog.client").json()
    assert single["name"] == "catalog.client" and single["state"] == "ready"


def test_a_failing_client_shows_its_last_error(daemon, authorization_server):
    authorization_server.otherwise = oauth_error("invalid_client", 401)
    daemon.get_token("other")
    failing = daemon.clients()["other"]
    assert failing["state"] == "failing" and "invalid_client" in str(failing["last_error"])


def test_a_client_whose_secret_cannot_be_read_shows_why(make_daemon, authorization_server):
    daemon = make_daemon("")
    secret = daemon.directory / "secret"
    definition = client(authorization_server, client_secret_file=secret)
    del definition["client_secret"]
    daemon.configure({"clients": {"a": definition}})
    daemon.start()
    assert_problem(daemon.get_token("a"), "client_unavailable")
    failing = daemon.clients()["a"]
    assert failing["state"] == "failing"
    assert failing["last_error"]["code"] == "client_unavailable" and str(secret) in failing["last_error"]["detail"]
    secret.write_text(new_secret())
    assert daemon.get_token("a").status == 200
    assert daemon.clients()["a"]["state"] == "ready" and daemon.clients()["a"]["last_error"] is None


def test_the_apis_a_caller_may_use(daemon, api_server):
    assert daemon.get("/v1/apis").json() == {
        "apis": [{"name": "invoices", "client": "catalog.client", "base_url": api_server.origin}]}


@pytest.mark.parametrize("method, target, code", [
    ("GET", "/v1/tokens/absent", "unknown_client"),
    ("POST", "/v1/tokens/absent", "unknown_client"),
    ("DELETE", "/v1/tokens/absent", "unknown_client"),
    ("GET", "/v1/clients/absent", "unknown_client"),
    ("GET", "/v1/proxy/absent/x", "unknown_api"),
    ("GET", "/", "not_found"),
    ("GET", "/v1", "not_found"),
    ("GET", "/v1/tokens", "not_found"),
    ("GET", "/v2/tokens/other", "not_found"),
    ("GET", "/v1/tokens/other/more", "not_found"),
    ("GET", "/healthz/", "not_found"),
    ("PUT", "/v1/tokens/other", "method_not_allowed"),
    ("PATCH", "/v1/tokens/other", "method_not_allowed"),
    ("POST", "/v1/clients", "method_not_allowed"),
    ("GET", "/v1/reload", "method_not_allowed"),
    ("POST", "/metrics", "method_not_allowed"),
    ("POST", "/healthz", "method_not_allowed"),
    ("TRACE", "/v1/proxy/invoices/x", "method_not_allowed"),
    ("PROPFIND", "/v1/tokens/other", "method_not_allowed"),
])
def test_a_request_that_leads_nowhere(daemon, method, target, code):
    answer = daemon.request(method, target)
    assert_problem(answer, code)
    if code == "method_not_allowed" and "proxy" not in target:
        assert answer.header("Allow")


def test_health_readiness_and_metrics(daemon):
    assert daemon.get("/healthz").status == 200
    assert daemon.get("/readyz").status == 200  # no client is prefetched
    metrics = daemon.get("/metrics")
    assert metrics.status == 200 and metrics.header("Content-Type").startswith("text/plain; version=0.0.4")


def test_a_name_may_be_percent_encoded_in_the_path(daemon):
    assert daemon.get_token("catalog%2Eclient").status in (200, 404)
    assert_problem(daemon.get_token("a%2Fb"), "unknown_client")


def test_head_answers_without_a_body(daemon):
    with daemon.connect() as connection:
        head = connection.request("HEAD", "/healthz")
        assert head.status == 200 and head.body == b""
        assert connection.request("GET", "/healthz").status == 200


@pytest.mark.parametrize("host", ["localhost", "grantd", "LOCALHOST", "Grantd:80", "localhost:8080", ""])
def test_these_hosts_mean_the_local_api(daemon, host):
    assert daemon.request("GET", "/v1/tokens/other", host=host).status == 200


@pytest.mark.parametrize("host", ["invoices", "INVOICES", "Invoices:443"])
def test_any_other_host_names_an_api(daemon, api_server, host):
    assert daemon.request("GET", "/test?x=1", host=host).status == 200
    assert api_server.requests[-1].target == "/test?x=1"


def test_a_host_that_is_no_api_is_unknown(daemon):
    assert_problem(daemon.request("GET", "/v1/tokens/other", host="elsewhere"), "unknown_api")


def test_a_request_of_http_1_0_needs_no_host_and_is_closed(daemon):
    with daemon.connect() as connection:
        connection.send(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert connection.read_response().status == 200
        assert connection.is_closed()


def test_a_target_in_absolute_form_is_refused(daemon):
    with daemon.connect() as connection:
        connection.send(b"GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert_problem(connection.read_response(), "invalid_request")


def test_no_answer_holds_a_secret_or_a_foreign_token(daemon, authorization_server):
    from authorization_server import issued
    from grantd import known_secrets

    daemon.get_token("catalog.client")
    daemon.call("invoices", "/x")
    for target in ("/v1/clients", "/v1/clients/other", "/v1/apis", "/metrics", "/v1/tokens/absent"):
        body = daemon.get(target).body.decode()
        assert not [value for value in known_secrets | issued if value in body], target
