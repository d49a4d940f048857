"""How clients prove themselves to a real authorization server by other means than a secret in the request."""

import base64
import json
import subprocess

import certificates
import pytest
from authorization_server import oauth_error, token
from conftest import real_client
from grantd import check, client, new_secret, tables, until
from problems import assert_problem
from real_authorization_server import RealAuthorizationServer

asymmetric = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
by_hmac = ["HS256", "HS384", "HS512"]


def keyed(client_id, *keys, **metadata):
    return {"client_id": client_id, "token_endpoint_auth_method": "private_key_jwt", "keys": list(keys),
            "scope": "catalog invoices"} | metadata


def signed_client(server, client_id, key, **keys):
    definition = client(server, client_id=client_id, private_key_file=key, **keys)
    del definition["client_secret"]
    return definition


def without_secret(server, **keys):
    definition = client(server, **keys)
    del definition["client_secret"]
    return definition


def decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def assertion_of(server, index=-1):
    """Header and claims of the assertion in a scripted server's request."""
    form = dict(server.form(index))
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    header, claims, _ = form["client_assertion"].split(".")
    return decoded(header), decoded(claims)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A key file for each algorithm, those of RSA in one."""
    folder = tmp_path_factory.mktemp("keys")
    files = {name: folder / f"{name}.pem" for name in ("RS256", "ES256", "ES384", "ES512", "EdDSA")}
    for name, file in files.items():
        certificates.make_private_key(file, name)
    return {name: files.get(name, files["RS256"]) for name in asymmetric}


@pytest.fixture(scope="module")
def jwt_server(keys):
    clients = [keyed(name, certificates.public_key(key), token_endpoint_auth_signing_alg=name)
               for name, key in keys.items()]
    clients += [real_client(name, method="client_secret_jwt", token_endpoint_auth_signing_alg=name,
                             client_secret=new_secret("x" * 64)) for name in by_hmac]
    clients += [keyed("any", *(certificates.public_key(key) for key in set(keys.values())), ttl=4)]
    server = RealAuthorizationServer(clients)
    yield server
    server.close()


@pytest.mark.parametrize("algorithm", asymmetric)
def test_an_assertion_of_every_algorithm_is_accepted(start_daemon, jwt_server, keys, algorithm):
    daemon = start_daemon({"clients": {"a": signed_client(jwt_server, algorithm, keys[algorithm], scope="catalog",
                                                          signing_alg=algorithm)}})
    found = jwt_server.introspect(daemon.get_token("a").token)
    assert found["active"] and found["client_id"] == algorithm
    assert daemon.post_token("a", force_renewal=True).status == 200  # the server refuses a jti that it has seen


@pytest.mark.parametrize("algorithm", by_hmac)
def test_an_assertion_signed_with_the_secret_is_accepted(start_daemon, jwt_server, algorithm):
    daemon = start_daemon({"clients": {"a": client(
        jwt_server, client_id=algorithm, client_secret=jwt_server.clients[algorithm]["client_secret"],
        token_endpoint_auth_method="client_secret_jwt", signing_alg=algorithm)}})
    assert jwt_server.introspect(daemon.get_token("a").token)["client_id"] == algorithm


def test_the_key_tells_the_algorithm_where_none_is_named(start_daemon, jwt_server, keys):
    definitions = {name: signed_client(jwt_server, name, keys[name])
                   for name in ("RS256", "ES256", "ES384", "ES512", "EdDSA")}
    daemon = start_daemon({"clients": definitions})
    for name in definitions:
        assert jwt_server.introspect(daemon.get_token(name).token)["client_id"] == name


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=30)


def test_keys_are_read_in_every_usual_form(start_daemon, jwt_server, keys, directory):
    rsa, ec = directory / "pkcs1.pem", directory / "sec1.pem"
    encrypted, passphrase = directory / "encrypted.pem", directory / "passphrase"
    openssl("rsa", "-in", keys["RS256"], "-traditional", "-out", rsa)
    openssl("ec", "-in", keys["ES256"], "-out", ec)
    passphrase.write_text(new_secret() + "\n")
    openssl("pkcs8", "-topk8", "-in", keys["ES256"], "-passout", f"file:{passphrase}", "-out", encrypted)
    assert rsa.read_text().startswith("-----BEGIN RSA") and ec.read_text().startswith("-----BEGIN EC")
    jwk = directory / "key.jwk"
    export = "const k=require('crypto').createPrivateKey(require('fs').readFileSync(0)).export({format:'jwk'});" \
             "console.log(JSON.stringify(k))"
    jwk.write_bytes(subprocess.run(["node", "-e", export], input=keys["ES256"].read_bytes(), check=True, timeout=30,
                                   capture_output=True).stdout)
    daemon = start_daemon({"clients": {
        "pkcs1": signed_client(jwt_server, "RS256", rsa),
        "sec1": signed_client(jwt_server, "ES256", ec),
        "encrypted": signed_client(jwt_server, "ES256", encrypted, private_key_passphrase_file=passphrase),
        "jwk": signed_client(jwt_server, "ES256", jwk),
    }})
    for name in ("pkcs1", "sec1", "encrypted", "jwk"):
        assert daemon.get_token(name).status == 200, name


def test_a_key_from_a_systemd_credential_is_used(start_daemon, jwt_server, keys, directory):
    (directory / "signing.pem").write_bytes(keys["ES256"].read_bytes())
    definition = without_secret(jwt_server, client_id="ES256", private_key_credential="signing.pem")
    daemon = start_daemon({"clients": {"a": definition}}, environment={"CREDENTIALS_DIRECTORY": str(directory)})
    assert daemon.get_token("a").status == 200


def test_an_assertion_names_its_issuer_audience_and_times(start_daemon, authorization_server, keys):
    daemon = start_daemon({"clients": {"a": signed_client(authorization_server, "me", keys["ES256"]),
                                       "b": signed_client(authorization_server, "me", keys["ES256"],
                                                          assertion_audience="urn:as", private_key_id="k1"),
                                       "c": signed_client(authorization_server, "me", keys["ES256"],
                                                          private_key_id="thumbprint")}})
    for name in "abc":
        assert daemon.get_token(name).status == 200
    header, claims = assertion_of(authorization_server, 0)
    assert header == {"alg": "ES256", "typ": "JWT"}
    assert claims["iss"] == claims["sub"] == "me" and claims["aud"] == authorization_server.token_endpoint
    assert 0 < claims["exp"] - claims["iat"] <= 600
    assert ("client_id", "me") in authorization_server.form(0)
    assert authorization_server.requests[0].header("Authorization") is None
    header, claims = assertion_of(authorization_server, 1)
    assert header["kid"] == "k1" and claims["aud"] == "urn:as"
    assert len(base64.urlsafe_b64decode(assertion_of(authorization_server, 2)[0]["kid"] + "=")) == 32


def test_every_attempt_bears_an_assertion_of_its_own(start_daemon, authorization_server, keys):
    authorization_server.script(oauth_error("server_error", 500), oauth_error("server_error", 503), token())
    daemon = start_daemon({"clients": {"a": signed_client(authorization_server, "me", keys["EdDSA"])}})
    assert daemon.get_token("a").status == 200
    assert len({assertion_of(authorization_server, i)[1]["jti"] for i in range(3)}) == 3


def test_the_certificates_thumbprints_stand_in_the_header(start_daemon, authorization_server, directory):
    made = certificates.make_client_certificate(directory, "entra")
    daemon = start_daemon({"clients": {"a": signed_client(authorization_server, "me", made.key,
                                                          certificate_file=made.certificate)}})
    assert daemon.get_token("a").status == 200
    header = assertion_of(authorization_server)[0]
    for member, digest in (("x5t", "sha1"), ("x5t#S256", "sha256")):
        shown = subprocess.run(["openssl", "x509", "-in", str(made.certificate), "-noout", "-fingerprint", f"-{digest}"],
                               capture_output=True, text=True, check=True, timeout=30).stdout
        expected = bytes.fromhex(shown.strip().split("=")[1].replace(":", ""))
        assert base64.urlsafe_b64decode(header[member] + "=" * (-len(header[member]) % 4)) == expected


def unusable(directory, keys):
    other = certificates.make_client_certificate(directory, "other")
    small, garbage, locked = directory / "small.pem", directory / "garbage.pem", directory / "locked.pem"
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", "-out", small)
    lines = keys["ES256"].read_text().splitlines()
    garbage.write_text("\n".join([lines[0], "bm8=", lines[-1], ""]))
    openssl("pkcs8", "-topk8", "-in", keys["ES256"], "-passout", "pass:x", "-out", locked)
    return {
        "curve": ({"private_key_file": keys["ES384"], "signing_alg": "ES256"}, "ES384"),
        "kind": ({"private_key_file": keys["RS256"], "signing_alg": "ES256"}, "ES256"),
        "small": ({"private_key_file": small}, "2048"),
        "garbage": ({"private_key_file": garbage}, "key"),
        "locked": ({"private_key_file": locked}, "private_key_passphrase_file"),
        "stranger's certificate": ({"private_key_file": keys["ES256"], "certificate_file": other.certificate},
                                   "certificate"),
    }


def test_a_key_that_does_not_fit_is_told_by_the_check_and_to_the_caller(start_daemon, authorization_server, keys,
                                                                       directory):
    cases = unusable(directory, keys)
    for case, (definition, mention) in cases.items():
        file = directory / "check.toml"
        file.write_text(tables({"clients": {"a": without_secret(authorization_server) | definition}}))
        result = check(file)
        assert result.returncode == 78 and mention in result.stderr, (case, result.stderr)
    daemon = start_daemon({"clients": {f"c{i}": without_secret(authorization_server) | definition
                                       for i, (definition, _) in enumerate(cases.values())}})
    for i, (_, mention) in enumerate(cases.values()):
        document = assert_problem(daemon.get_token(f"c{i}"), "client_unavailable")
        assert mention in document["detail"]
    assert authorization_server.count == 0


def test_a_ready_assertion_is_read_for_each_request(start_daemon, authorization_server, directory):
    file = directory / "projected"
    daemon = start_daemon({"clients": {"a": without_secret(authorization_server, client_assertion_file=file)}})
    assert_problem(daemon.get_token("a"), "client_unavailable")
    assert authorization_server.count == 0
    for text in ("eyJhIjoxfQ.e30.YQ", "eyJhIjoyfQ.e30.Yg"):
        file.write_text(text + "\n")
        assert until(lambda: daemon.post_token("a", force_renewal=True)).status == 200
        assert dict(authorization_server.form())["client_assertion"] == text


def test_a_changed_key_is_used_at_the_next_request(start_daemon, jwt_server, keys, directory):
    file = directory / "key.pem"
    file.write_bytes(keys["ES256"].read_bytes())
    daemon = start_daemon({"clients": {"a": signed_client(jwt_server, "EdDSA", file)}})
    assert_problem(daemon.get_token("a"), "token_request_rejected", oauth_error="invalid_client")
    file.write_bytes(keys["EdDSA"].read_bytes())
    assert daemon.get_token("a").status == 200  # the remembered error was that of the other key


def test_a_changed_secret_clears_what_was_remembered_of_the_old_one(start_daemon, real_server, directory):
    file = directory / "secret"
    file.write_text(new_secret())
    daemon = start_daemon({"clients": {"a": without_secret(real_server, client_id="catalog", client_secret_file=file)}})
    assert_problem(daemon.get_token("a"), "token_request_rejected", oauth_error="invalid_client")
    file.write_text(real_server.clients["catalog"]["client_secret"] + "\n")
    assert daemon.get_token("a").status == 200


def test_the_next_secret_is_tried_when_the_first_is_refused(start_daemon, real_server, directory):
    old, new = directory / "old", directory / "new"
    old.write_text(new_secret())
    new.write_text(real_server.clients["rotating"]["client_secret"])
    daemon = start_daemon({"clients": {"a": without_secret(real_server, client_id="rotating", client_secret_file=old,
                                                           client_secret_next_file=new)}})
    assert daemon.get_token("a").status == 200
    seen = real_server.token_requests("rotating")
    assert seen <= 2
    assert daemon.post_token("a", force_renewal=True).status == 200
    assert real_server.token_requests("rotating") == seen + 1  # the one that worked comes first now


def test_both_secrets_refused_is_one_error_and_remembered(start_daemon, authorization_server, directory):
    for name in ("old", "new"):
        (directory / name).write_text(new_secret())
    authorization_server.script_always(oauth_error("invalid_client", 401))
    daemon = start_daemon({"clients": {"a": without_secret(
        authorization_server, client_secret_file=directory / "old", client_secret_next_file=directory / "new")}})
    for _ in range(5):
        assert_problem(daemon.get_token("a"), "token_request_rejected", oauth_error="invalid_client")
    assert authorization_server.count == 2


# Mutual TLS (RFC 8705)


@pytest.fixture(scope="module")
def mtls(tmp_path_factory, certificate_authority, server_certificate):
    folder = tmp_path_factory.mktemp("mtls")
    signed = certificates.make_server_certificate(folder, certificate_authority, "signed.client", "DNS:signed.client")
    alone = certificates.make_client_certificate(folder, "alone.client")
    clients = [
        {"client_id": "signed", "token_endpoint_auth_method": "tls_client_auth", "scope": "catalog",
         "tls_client_auth_subject_dn": "CN=signed.client", "tls_client_certificate_bound_access_tokens": True},
        keyed("alone", alone.certificate.read_text(), token_endpoint_auth_method="self_signed_tls_client_auth"),
    ]
    server = RealAuthorizationServer(clients, certificate=server_certificate, authority=certificate_authority)
    server.pairs = {"signed": signed, "alone": alone}
    yield server
    server.close()


def tls_client(server, certificate_authority, client_id, pair, method):
    return without_secret(server, client_id=client_id, token_endpoint_auth_method=method,
                          tls_ca_file=certificate_authority.certificate, tls_cert_file=pair.certificate,
                          tls_key_file=pair.key)


def test_a_client_proves_itself_with_a_certificate_of_an_authority(start_daemon, mtls, certificate_authority):
    daemon = start_daemon({"clients": {"a": tls_client(mtls, certificate_authority, "signed", mtls.pairs["signed"],
                                                       "tls_client_auth")}})
    found = mtls.introspect(daemon.get_token("a").token)
    assert found["active"] and found["client_id"] == "signed"
    assert set(found["cnf"]) == {"x5t#S256"}  # bound to the certificate


def test_a_client_proves_itself_with_a_certificate_of_its_own(start_daemon, mtls, certificate_authority):
    daemon = start_daemon({"clients": {"a": tls_client(mtls, certificate_authority, "alone", mtls.pairs["alone"],
                                                       "self_signed_tls_client_auth")}})
    assert mtls.introspect(daemon.get_token("a").token)["client_id"] == "alone"


def test_a_changed_certificate_is_used_at_the_next_request(start_daemon, mtls, certificate_authority, directory):
    pair = certificates.Certificate(directory / "c.pem", directory / "c.key")

    def install(other):
        pair.certificate.write_bytes(other.certificate.read_bytes())
        pair.key.write_bytes(other.key.read_bytes())

    install(mtls.pairs["alone"])
    daemon = start_daemon({"clients": {"a": tls_client(mtls, certificate_authority, "signed", pair, "tls_client_auth")}})
    assert_problem(daemon.get_token("a"), "token_request_rejected", oauth_error="invalid_client")
    install(mtls.pairs["signed"])
    assert daemon.get_token("a").status == 200


def test_half_a_replaced_certificate_does_not_take_the_old_one_away(start_daemon, mtls, certificate_authority, directory):
    pair = certificates.Certificate(directory / "c.pem", directory / "c.key")
    pair.certificate.write_bytes(mtls.pairs["signed"].certificate.read_bytes())
    pair.key.write_bytes(mtls.pairs["signed"].key.read_bytes())
    daemon = start_daemon({"clients": {"a": tls_client(mtls, certificate_authority, "signed", pair, "tls_client_auth")}})
    assert daemon.get_token("a").status == 200
    pair.certificate.write_bytes(mtls.pairs["alone"].certificate.read_bytes())
    assert daemon.post_token("a", force_renewal=True).status == 200


def test_a_certificate_that_does_not_fit_its_key_is_told(start_daemon, mtls, certificate_authority, directory):
    pair = certificates.Certificate(mtls.pairs["alone"].certificate, mtls.pairs["signed"].key)
    configuration = {"clients": {"a": tls_client(mtls, certificate_authority, "alone", pair, "tls_client_auth")}}
    file = directory / "check.toml"
    file.write_text(tables(configuration))
    result = check(file)
    assert result.returncode == 78 and "tls_cert_file" in result.stderr
    assert_problem(start_daemon(configuration).get_token("a"), "client_unavailable")


def test_a_certificate_bound_token_works_through_the_proxy(start_daemon, mtls, certificate_authority,
                                                           server_certificate):
    """An API that compares the certificate of the connection with the one the token is bound to."""
    import hashlib

    from api_server import ApiServer

    server = ApiServer(server_certificate, authority=certificate_authority)

    def protected(wire, request):
        presented = wire.connection.getpeercert(binary_form=True)
        thumbprint = base64.urlsafe_b64encode(hashlib.sha256(presented or b"").digest()).rstrip(b"=").decode()
        bound = mtls.introspect(request.bearer)["cnf"]["x5t#S256"]
        wire.respond(200 if thumbprint == bound else 401)
        return True

    server.on("/test", protected)
    pair = mtls.pairs["signed"]
    address = {"client": "a", "base_url": server.origin, "tls_ca_file": certificate_authority.certificate}
    try:
        daemon = start_daemon({
            "clients": {"a": tls_client(mtls, certificate_authority, "signed", pair, "tls_client_auth")},
            "apis": {"with": address | {"tls_cert_file": pair.certificate, "tls_key_file": pair.key}, "bare": address}})
        assert daemon.call("with", "/test").status == 200
        assert daemon.call("bare", "/test").status == 401
    finally:
        server.close()
