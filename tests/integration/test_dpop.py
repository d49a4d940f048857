"""Sender-constrained tokens (RFC 9449): from a real authorization server, through the proxy, and for callers that send the
token themselves. Proofs are verified here by the standard's own rules, signatures by openssl."""

import base64
import hashlib
import json
import subprocess
import time

import authorization_server as scripted
import certificates
import pytest
from conftest import real_client
from grantd import api, check, client, tables, until
from problems import assert_problem
from real_authorization_server import RealAuthorizationServer


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def thumbprint(jwk):
    return base64url(hashlib.sha256(json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()).digest())


verify = """
const {createPublicKey, verify} = require('crypto');
const [header, payload, signature] = process.argv[1].split('.');
const {alg, jwk} = JSON.parse(Buffer.from(header, 'base64url'));
const key = {key: createPublicKey({key: jwk, format: 'jwk'})};
if (alg.startsWith('ES')) key.dsaEncoding = 'ieee-p1363';
if (alg.startsWith('PS')) Object.assign(key, {padding: 6, saltLength: 32});
const hash = alg === 'EdDSA' ? null : 'sha' + alg.slice(2);
process.exit(verify(hash, Buffer.from(header + '.' + payload), key, Buffer.from(signature, 'base64url')) ? 0 : 1);
"""


def read_proof(proof, method, url, token=None):
    """Checks what RFC 9449 section 4.3 asks for and returns header and claims."""
    header, claims = (json.loads(decode(part)) for part in proof.split(".")[:2])
    assert header["typ"] == "dpop+jwt" and "d" not in header["jwk"]
    assert (claims["htm"], claims["htu"]) == (method, url)
    assert abs(claims["iat"] - time.time()) < 60 and len(claims["jti"]) >= 16
    if token is None:
        assert "ath" not in claims
    else:
        assert claims["ath"] == base64url(hashlib.sha256(token.encode()).digest())
    assert subprocess.run(["node", "-e", verify, proof], timeout=30).returncode == 0
    return header, claims


def bound(**members):
    return scripted.token(token_type="DPoP", **members)


def challenge(nonce, status=401):
    return scripted.answer(status, [("WWW-Authenticate", 'DPoP error="use_dpop_nonce"'), ("DPoP-Nonce", nonce)])


@pytest.fixture(scope="module")
def nonce_server():
    server = RealAuthorizationServer([real_client("bound", dpop_bound_access_tokens=True), real_client("lax")],
                                     dpop_nonces=True)
    yield server
    server.close()


def of_real(server, client_id, **keys):
    return client(server, client_id=client_id, client_secret=server.clients[client_id]["client_secret"], **keys)


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "RS256", "PS256", "EdDSA"])
def test_a_real_server_binds_the_token_to_a_key_of_every_algorithm(start_daemon, nonce_server, algorithm):
    daemon = start_daemon({"clients": {"a": of_real(nonce_server, "bound", dpop=True, dpop_alg=algorithm)}})
    answer = daemon.get_token("a").json()
    assert answer["token_type"] == "DPoP"
    found = nonce_server.introspect(answer["access_token"])
    assert found["active"] and found["token_type"] == "DPoP" and found["cnf"]["jkt"]


def test_the_configured_key_is_what_the_token_is_bound_to(start_daemon, nonce_server, directory):
    key = directory / "key.pem"
    certificates.make_private_key(key, "ES384")
    daemon = start_daemon({"clients": {"a": of_real(nonce_server, "bound", dpop_key_file=key)}})
    answer = daemon.get_token("a").json()
    proof = json.loads(daemon.request("POST", "/v1/dpop/a", body=json.dumps(
        {"method": "GET", "url": "https://api.example/", "version": answer["version"]}).encode()).body)["dpop"]
    header, _ = read_proof(proof, "GET", "https://api.example/", answer["access_token"])
    assert header["alg"] == "ES384"
    assert nonce_server.introspect(answer["access_token"])["cnf"]["jkt"] == thumbprint(header["jwk"])


def test_a_nonce_costs_one_more_request_once(start_daemon, nonce_server):
    before = nonce_server.token_requests("bound")
    daemon = start_daemon({"clients": {"a": of_real(nonce_server, "bound", dpop=True)}})
    assert daemon.get_token("a").status == 200
    assert daemon.post_token("a", force_renewal=True).status == 200
    assert nonce_server.token_requests("bound") - before <= 3


def one(server, **keys):
    return {"clients": {"a": client(server, dpop=True, **keys)}}


def proof_of(server, index, token=None):
    request = server.requests[index]
    return read_proof(request.header("DPoP"), request.method, server.origin + request.path, token)


def test_a_demanded_nonce_is_answered_once_with_a_new_proof(start_daemon, authorization_server):
    authorization_server.script(scripted.oauth_error("use_dpop_nonce", 400, headers=[("DPoP-Nonce", "n-1")]),
                                bound())
    daemon = start_daemon(one(authorization_server))
    assert daemon.get_token("a").status == 200
    (first, second) = (proof_of(authorization_server, i) for i in range(2))
    assert "nonce" not in first[1] and second[1]["nonce"] == "n-1"
    assert first[1]["jti"] != second[1]["jti"] and first[0]["jwk"] == second[0]["jwk"]


def test_a_server_that_never_takes_its_nonce_is_left_alone(start_daemon, authorization_server):
    authorization_server.script_always(
        scripted.oauth_error("use_dpop_nonce", 400, headers=[("DPoP-Nonce", "n-1")]))
    daemon = start_daemon(one(authorization_server))
    for _ in range(3):
        assert_problem(daemon.get_token("a"), "token_request_rejected", oauth_error="use_dpop_nonce")
    assert authorization_server.count == 2


def test_a_nonce_that_came_with_a_token_stands_in_the_next_proof(start_daemon, authorization_server):
    def with_nonce(wire, request):
        document = {"access_token": scripted.new_token(), "token_type": "DPoP", "expires_in": 3600}
        return scripted.json_answer(document, headers=[("DPoP-Nonce", "n-2")])(wire, request)

    authorization_server.script_always(with_nonce)
    daemon = start_daemon(one(authorization_server))
    assert daemon.get_token("a").status == 200
    assert daemon.post_token("a", force_renewal=True).status == 200
    assert "nonce" not in proof_of(authorization_server, 0)[1]
    assert proof_of(authorization_server, 1)[1]["nonce"] == "n-2"


def test_an_assertion_with_a_nonce_demanded_is_sent_once_and_the_nonce_kept(start_daemon, authorization_server):
    authorization_server.script(scripted.oauth_error("use_dpop_nonce", 400, headers=[("DPoP-Nonce", "n-3")]), bound())
    daemon = start_daemon(one(authorization_server, allow_overrides=["assertion"]))
    assert_problem(daemon.post_token("a", assertion="eyJ.e30.x"), "token_request_rejected",
                   oauth_error="use_dpop_nonce")
    assert authorization_server.count == 1
    assert daemon.post_token("a", assertion="eyJ.e30.y").status == 200
    assert proof_of(authorization_server, 1)[1]["nonce"] == "n-3"


def test_a_nonce_demanded_uses_up_an_assertion(start_daemon, authorization_server, directory):
    from test_client_authentication import assertion_of

    key = directory / "key.pem"
    certificates.make_private_key(key, "ES256")
    authorization_server.script(scripted.oauth_error("use_dpop_nonce", 400, headers=[("DPoP-Nonce", "n")]), bound())
    configuration = one(authorization_server, private_key_file=key)
    del configuration["clients"]["a"]["client_secret"]
    assert start_daemon(configuration).get_token("a").status == 200
    first, second = (assertion_of(authorization_server, i)[1]["jti"] for i in range(2))
    assert first != second


def test_a_bearer_answer_is_reported_and_served_as_what_it_is(start_daemon, authorization_server, api_server):
    configuration = one(authorization_server) | {"apis": {"x": api(api_server, "a")}}
    daemon = start_daemon(configuration)
    answer = daemon.get_token("a").json()
    assert answer["token_type"] == "Bearer"
    (warning,) = until(lambda: daemon.events("token_not_bound"))
    assert warning.startswith("<4>")
    assert daemon.call("x", "/test").status == 200
    assert api_server.requests[0].header("DPoP") is None
    assert_problem(ask_proof(daemon, version=answer["version"]), "not_found")


def ask_proof(daemon, name="a", **members):
    wish = {"method": "GET", "url": "https://api.example/x"} | members
    return daemon.request("POST", f"/v1/dpop/{name}", [("Content-Type", "application/json")], json.dumps(wish).encode())


def test_a_caller_gets_a_proof_for_its_own_request(start_daemon, authorization_server):
    authorization_server.script_always(bound())
    daemon = start_daemon(one(authorization_server))
    token = daemon.get_token("a").json()
    answer = ask_proof(daemon, method="POST", url="https://API.example:8443/a%20b?q=1#f", version=token["version"],
                       nonce="api-nonce")
    assert answer.status == 200 and answer.header("Cache-Control") == "no-store"
    _, claims = read_proof(answer.json()["dpop"], "POST", "https://API.example:8443/a%20b", token["access_token"])
    assert claims["nonce"] == "api-nonce"
    again = ask_proof(daemon, version=token["version"]).json()["dpop"]
    assert read_proof(again, "GET", "https://api.example/x", token["access_token"])[1]["jti"] != claims["jti"]


def test_a_version_stays_known_until_its_token_expires(start_daemon, authorization_server):
    authorization_server.script(bound(expires_in=2), bound())
    daemon = start_daemon(one(authorization_server))
    old = daemon.get_token("a").json()
    new = daemon.post_token("a", force_renewal=True).json()
    assert daemon.delete_token("a").status == 204
    for token in (old, new):
        read_proof(ask_proof(daemon, version=token["version"]).json()["dpop"], "GET", "https://api.example/x",
                   token["access_token"])
    deadline = time.monotonic() + 10
    while ask_proof(daemon, version=old["version"]).status == 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert_problem(ask_proof(daemon, version=old["version"]), "not_found", client="a")
    assert ask_proof(daemon, version=new["version"]).status == 200


@pytest.mark.parametrize("members", [
    {"method": ""}, {"method": "GET /"}, {"url": "/x"}, {"url": "ftp://x/"}, {"url": "https://u:p@x/"}, {"url": 5},
    {"nonce": "a\"b"}, {"nonce": "x" * 2000}, {"extra": "x"}, {"url": "https://x/" + "a" * 5000},
], ids=lambda members: str(members)[:30])
def test_a_malformed_wish_is_an_invalid_request(start_daemon, authorization_server, members):
    assert_problem(ask_proof(start_daemon(one(authorization_server)), **members), "invalid_request")


def test_who_may_not_have_the_token_gets_no_proof(start_daemon, authorization_server):
    authorization_server.script_always(bound())
    daemon = start_daemon({"clients": {
        "hidden": client(authorization_server, dpop=True, expose_token=False),
        "foreign": client(authorization_server, dpop=True, allow_users=["65533"])}})
    for name in ("hidden", "foreign"):
        assert_problem(ask_proof(daemon, name, version="x"), "access_denied")
    assert_problem(ask_proof(daemon, "absent", version="x"), "unknown_client")
    assert daemon.request("GET", "/v1/dpop/hidden").status == 405
    assert_problem(daemon.request("POST", "/v1/dpop/foreign", body=b"x"), "access_denied")


def test_a_key_that_was_made_survives_a_reload_with_its_tokens(start_daemon, authorization_server):
    authorization_server.script_always(bound())
    configuration = one(authorization_server)
    daemon = start_daemon(configuration)
    token = daemon.get_token("a").json()
    configuration["clients"]["a"]["refresh_before_expiry"] = "30s"
    daemon.configure(configuration)
    assert daemon.reload().status == 204
    assert daemon.get_token("a").json()["version"] == token["version"]
    header, _ = read_proof(ask_proof(daemon, version=token["version"]).json()["dpop"], "GET", "https://api.example/x",
                           token["access_token"])
    assert daemon.post_token("a", force_renewal=True).status == 200
    assert proof_of(authorization_server, -1)[0]["jwk"] == header["jwk"]


def test_another_key_is_another_token(start_daemon, authorization_server, directory):
    authorization_server.script_always(bound())
    key = directory / "key.pem"
    certificates.make_private_key(key, "ES256")
    configuration = one(authorization_server, dpop_key_file=key)
    daemon = start_daemon(configuration)
    first = daemon.get_token("a").json()["version"]
    certificates.make_private_key(key, "ES256")
    assert daemon.reload().status == 204
    assert daemon.get_token("a").json()["version"] != first


@pytest.mark.parametrize("algorithm, expected", [("ES384", "ES384"), ("RS256", "RS256"), ("EdDSA", "EdDSA")])
def test_a_keys_own_algorithm_is_used_where_none_is_named(start_daemon, authorization_server, directory, algorithm,
                                                          expected):
    authorization_server.script_always(bound())
    key = directory / "key.pem"
    certificates.make_private_key(key, algorithm)
    assert start_daemon(one(authorization_server, dpop_key_file=key)).get_token("a").status == 200
    assert proof_of(authorization_server, 0)[0]["alg"] == expected


def test_a_dpop_key_that_does_not_fit_is_told(start_daemon, authorization_server, directory):
    key = directory / "key.pem"
    certificates.make_private_key(key, "RS256")
    configuration = one(authorization_server, dpop_key_file=key, dpop_alg="ES256")
    file = directory / "check.toml"
    file.write_text(tables(configuration))
    file.chmod(0o600)
    result = check(file)
    assert result.returncode == 78 and "dpop_key_file: the DPoP key" in result.stderr
    assert_problem(start_daemon(configuration).get_token("a"), "client_unavailable")
    assert authorization_server.count == 0


# Through the proxy


@pytest.fixture
def protected(authorization_server, api_server):
    """A daemon's configuration for an API that keeps what it was sent; `script` are its next answers."""
    authorization_server.script_always(bound())
    script = []

    def give(wire, request):
        request.body = b"".join(wire.body_pieces(request))
        return (script.pop(0) if script else scripted.answer(200, body="fine"))(wire, request)

    api_server.on("/base/test", give)
    api_server.on("/test", give)
    configuration = one(authorization_server) | {"apis": {"x": api(api_server, "a")}}
    return configuration, script


def sent(api_server, index, method="GET", path="/test"):
    request = api_server.requests[index]
    scheme, _, token = request.header("Authorization").partition(" ")
    assert scheme == "DPoP" and len(request.header_values("DPoP")) == 1
    return token, read_proof(request.header("DPoP"), method, api_server.origin + path, token)[1]


def test_every_forwarded_request_has_a_proof_of_its_own(start_daemon, protected, api_server):
    configuration, _ = protected
    configuration["apis"]["x"]["base_url"] += "/base"
    daemon = start_daemon(configuration)
    assert daemon.call("x", "/test?q=1", headers=[("DPoP", "forged")]).status == 200
    assert daemon.call("x", "/test", "POST", body=b"x").status == 200
    first, second = sent(api_server, 0, path="/base/test"), sent(api_server, 1, "POST", "/base/test")
    assert first[0] == second[0] and first[1]["jti"] != second[1]["jti"]
    assert "nonce" not in first[1]


def test_an_apis_nonce_is_answered_once_and_is_no_rejection(start_daemon, protected, api_server, authorization_server):
    configuration, script = protected
    script.append(challenge("a-1"))
    daemon = start_daemon(configuration)
    answer = daemon.call("x", "/test", "POST", body=b"payload")
    assert answer.status == 200 and answer.header("Grantd-Retried") == "dpop-nonce"
    first, second = sent(api_server, 0, "POST"), sent(api_server, 1, "POST")
    assert second[1]["nonce"] == "a-1" and first[1]["jti"] != second[1]["jti"]
    assert first[0] == second[0] and authorization_server.count == 1
    assert api_server.requests[1].body == b"payload"
    assert daemon.call("x", "/test").header("Grantd-Retried") is None
    assert sent(api_server, 2)[1]["nonce"] == "a-1"
    assert daemon.metric("grantd_api_retries_total", api="x", reason="dpop-nonce") == 1


def test_a_second_challenge_is_the_answer(start_daemon, protected, api_server, authorization_server):
    configuration, script = protected
    script += [challenge("a-1"), challenge("a-2")]
    daemon = start_daemon(configuration)
    answer = daemon.call("x", "/test")
    assert answer.status == 401 and answer.header("Grantd-Retried") == "dpop-nonce"
    assert len(api_server.requests) == 2 and authorization_server.count == 1
    assert daemon.call("x", "/test").status == 200
    assert sent(api_server, 2)[1]["nonce"] == "a-2"


def test_a_nonce_and_a_rejected_token_are_two_reasons(start_daemon, protected, api_server, authorization_server):
    configuration, script = protected
    script += [challenge("a-1"), scripted.answer(401, [("WWW-Authenticate", 'DPoP error="invalid_token"')])]
    daemon = start_daemon(configuration)
    answer = daemon.call("x", "/test")
    assert answer.status == 200 and answer.header("Grantd-Retried") == "dpop-nonce, 401"
    assert sent(api_server, 2)[0] != sent(api_server, 1)[0] and authorization_server.count == 2


def test_a_challenge_for_a_body_too_large_to_keep_is_passed_on(start_daemon, protected, api_server,
                                                              authorization_server):
    configuration, script = protected
    configuration["apis"]["x"]["max_replay_body"] = "1KiB"
    script.append(challenge("a-1"))
    daemon = start_daemon(configuration)
    answer = daemon.call("x", "/test", "POST", body=b"x" * 5000)
    assert answer.status == 401 and answer.header("Grantd-Retried") is None
    assert authorization_server.count == 1


def test_nonces_of_token_endpoint_and_api_are_kept_apart(start_daemon, authorization_server, api_server):
    """Both on one origin, as far as the daemon can tell."""

    def give(wire, request):
        if request.method == "POST":
            return scripted.json_answer({"access_token": scripted.new_token(), "token_type": "DPoP", "expires_in": 3600},
                                        headers=[("DPoP-Nonce", "of-the-endpoint")])(wire, request)
        return scripted.answer(200, [("DPoP-Nonce", "of-the-api")])(wire, request)

    authorization_server.script_always(give)
    configuration = one(authorization_server) | {"apis": {"x": api(authorization_server, "a")}}
    daemon = start_daemon(configuration)
    for _ in range(2):
        assert daemon.call("x", "/test").status == 200
    assert daemon.post_token("a", force_renewal=True).status == 200
    claims = [json.loads(decode(request.header("DPoP").split(".")[1])) for request in authorization_server.requests]
    assert [one.get("nonce") for one in claims] == [None, None, "of-the-api", "of-the-endpoint"]
