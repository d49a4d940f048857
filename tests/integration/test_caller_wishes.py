"""What callers may ask for beyond the definition, what is told apart in the cache, and how much they may provoke."""

import pytest

from authorization_server import answer, new_token, token
from grantd import api, client, known_secrets
from problems import assert_problem


def one(server, **keys):
    return {"clients": {"a": client(server, **keys)}}


wishes = {
    "scope": {"scope": "other"},
    "resource": {"resource": ["https://other.example/"]},
    "audience": {"audience": "other"},
    "parameters": {"parameters": {"realm": "other"}},
    "assertion": {"assertion": "eyJ.assertion-of-a-caller.c2ln"},
}


@pytest.mark.parametrize("wish", wishes)
def test_a_wish_is_refused_unless_the_definition_allows_it(start_daemon, authorization_server, wish):
    others = [name for name in wishes if name != wish]
    daemon = start_daemon(one(authorization_server, scope="mine", allow_overrides=others))
    document = assert_problem(daemon.post_token("a", **wishes[wish]), "access_denied", client="a")
    assert "allow_overrides" in document["detail"]
    assert authorization_server.count == 0


@pytest.mark.parametrize("wish", wishes)
def test_an_allowed_wish_reaches_the_token_endpoint(start_daemon, authorization_server, wish):
    daemon = start_daemon(one(authorization_server, scope="mine", allow_overrides=[wish]))
    assert daemon.post_token("a", **wishes[wish]).status == 200
    form = authorization_server.form(0)
    expected = {"scope": ("scope", "other"), "resource": ("resource", "https://other.example/"),
                "audience": ("audience", "other"), "parameters": ("realm", "other"),
                "assertion": ("client_assertion", wishes["assertion"]["assertion"])}
    assert expected[wish] in form
    assert len([name for name, _ in form if name == "scope"]) == 1


def test_a_subset_of_what_is_configured_may_always_be_asked_for(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server, scope="a b", resource=["urn:x", "urn:y"]))
    assert daemon.get_token("a", "scope=b&resource=urn:y").status == 200
    assert ("scope", "b") in authorization_server.form(0)
    assert [value for name, value in authorization_server.form(0) if name == "resource"] == ["urn:y"]
    assert_problem(daemon.get_token("a", "scope=b+c"), "access_denied")
    assert_problem(daemon.get_token("a", "resource=urn:z"), "access_denied")


def test_the_reserved_parameters_of_a_token_request_cannot_be_set(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server, allow_overrides=["parameters"]))
    for name in ("grant_type", "client_id", "client_secret", "client_assertion", "assertion", "scope", "resource",
                 "audience", "code", "refresh_token", "username", "password", "subject_token", "actor_token_type",
                 "requested_token_type", ""):
        assert_problem(daemon.post_token("a", parameters={name: "x"}), "invalid_request")
    assert authorization_server.count == 0


@pytest.mark.parametrize("query", ["scope=%22", "scope=a%0ab", "scope=%5c", "resource=relative", "resource=urn:x%23f",
                                   "min_valid=-1", "min_valid=abc", "min_valid=1.5", "min_valid=99999999999999999999",
                                   "scope=%zz", "scope=%0", "audience=%00", "unknown=1"])
def test_a_malformed_wish_is_an_invalid_request(start_daemon, authorization_server, query):
    daemon = start_daemon(one(authorization_server, allow_overrides=["scope", "resource", "audience"]))
    assert_problem(daemon.get_token("a", query), "invalid_request")
    assert authorization_server.count == 0


def test_every_part_of_a_wish_tells_tokens_apart(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server, allow_overrides=list(wishes), max_provoked_requests=100))
    bodies = [{}, {"scope": "x"}, {"scope": "y"}, {"resource": ["urn:x"]}, {"resource": ["urn:x", "urn:y"]},
              {"audience": "x"}, {"parameters": {"p": "x"}}, {"parameters": {"p": "y"}}, {"parameters": {"q": "x"}},
              {"scope": "x", "audience": "x"}]
    tokens = [daemon.post_token("a", **body).token for body in bodies]
    assert len(set(tokens)) == len(bodies) == authorization_server.count
    assert [daemon.post_token("a", **body).token for body in bodies] == tokens
    assert authorization_server.count == len(bodies)


def test_order_and_duplicates_do_not_matter(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server, allow_overrides=["scope", "resource"]))
    first = daemon.get_token("a", "scope=x+y&resource=urn:a&resource=urn:b").token
    assert daemon.get_token("a", "resource=urn:b&resource=urn:a&resource=urn:b&scope=y+x++y").token == first
    assert daemon.post_token("a", scope="y x", resource=["urn:b", "urn:a"]).token == first
    assert authorization_server.count == 1


def test_an_empty_wish_counts_as_absent(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server, scope="mine"))
    first = daemon.get_token("a").token
    assert daemon.get_token("a", "scope=&resource=&audience=&min_valid=").token == first
    assert authorization_server.count == 1


def test_the_least_recently_used_wish_is_dropped_and_the_configured_one_never(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server, scope="mine", allow_overrides=["scope"], max_variants=2))
    configured = daemon.get_token("a").token
    tokens = {name: daemon.get_token("a", f"scope={name}").token for name in ("x", "y")}
    assert daemon.get_token("a", "scope=x").token == tokens["x"]
    assert daemon.get_token("a", "scope=z").status == 200  # y goes
    assert daemon.get_token("a", "scope=x").token == tokens["x"]
    assert daemon.get_token("a", "scope=y").token != tokens["y"]
    assert daemon.get_token("a").token == configured


def test_delete_drops_every_wish_or_just_the_one_named(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server, scope="x y"))
    both, x = daemon.get_token("a").token, daemon.get_token("a", "scope=x").token
    assert daemon.delete_token("a", "scope=x").status == 204
    assert daemon.get_token("a").token == both
    x, before = daemon.get_token("a", "scope=x").token, x
    assert x != before
    assert daemon.delete_token("a").status == 204
    assert daemon.get_token("a").token != both and daemon.get_token("a", "scope=x").token != x


def test_an_assertions_token_is_shared_with_nobody_and_sent_once(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server, allow_overrides=["assertion"]))
    known_secrets.add(assertion := "eyJhbGciOiJub25lIn0.secret-assertion.c2ln")
    cached = daemon.get_token("a").token
    first, second = (daemon.post_token("a", assertion=assertion).token for _ in range(2))
    assert len({cached, first, second}) == 3
    assert daemon.get_token("a").token == cached
    form = authorization_server.form(-1)  # RFC 7523 section 2.2: in place of the client's secret
    for pair in (("grant_type", "client_credentials"), ("client_id", "worker"), ("client_assertion", assertion),
                 ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")):
        assert pair in form
    assert authorization_server.requests[-1].header("Authorization") is None
    authorization_server.otherwise = answer(503)
    before = authorization_server.count
    assert_problem(daemon.post_token("a", assertion=assertion), "authorization_server_unavailable")
    assert authorization_server.count == before + 1
    assert daemon.get_token("a").token == cached
    authorization_server.otherwise = token()
    assert daemon.post_token("a", assertion=assertion).status == 200  # nothing of it is remembered


def test_what_callers_provoke_is_limited(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server, max_provoked_requests=3, allow_overrides=["scope"]))
    first = daemon.get_token("a")  # the configured combination is never refused
    for _ in range(3):
        assert daemon.post_token("a", force_renewal=True).status == 200
    cached = daemon.get_token("a")
    refused = daemon.post_token("a", force_renewal=True)
    document = assert_problem(refused, "too_many_requests", client="a")
    assert 1 <= document["retry_after"] <= 60 and refused.header("Retry-After") == str(document["retry_after"])
    assert_problem(daemon.get_token("a", "scope=new"), "too_many_requests")
    assert_problem(daemon.delete_token("a"), "too_many_requests")
    assert daemon.get_token("a").token == cached.token != first.token  # the delete deleted nothing
    assert authorization_server.count == 4


@pytest.mark.root
def test_each_user_provokes_on_an_account_of_its_own(start_daemon, authorization_server):
    daemon = start_daemon({"daemon": {"socket_mode": "0666"}} | one(authorization_server, max_provoked_requests=1))
    for uid in (70001, 70002):
        assert daemon.post_token("a", uid=uid, force_renewal=True).status == 200
        assert_problem(daemon.post_token("a", uid=uid, force_renewal=True), "too_many_requests")


def test_a_valid_token_is_given_rather_than_a_refusal_for_min_valid(start_daemon, authorization_server):
    authorization_server.otherwise = token(expires_in=100)
    daemon = start_daemon(one(authorization_server, max_provoked_requests=1))
    for _ in range(4):
        assert daemon.get_token("a", "min_valid=500").status == 200
    assert authorization_server.count <= 2


def test_a_token_that_is_not_exposed_serves_the_proxy_alone(start_daemon, authorization_server, api_server):
    hidden = new_token()
    authorization_server.otherwise = token(access_token=hidden)
    daemon = start_daemon({"clients": {"a": client(authorization_server, expose_token=False)},
                           "apis": {"x": api(api_server, "a")}})
    assert_problem(daemon.get_token("a"), "access_denied")
    assert_problem(daemon.post_token("a", force_renewal=True), "access_denied")
    assert authorization_server.count == 0
    assert daemon.call("x", "/").status == 200
    assert api_server.tokens == [hidden]
    for target in ("/v1/clients", "/v1/clients/a", "/v1/apis", "/metrics"):
        assert hidden.encode() not in daemon.get(target).body
