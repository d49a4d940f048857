"""What the daemon sends to a token endpoint, and where its credentials come from."""

import pytest

from grantd import client, form_encode, new_secret, until
from problems import assert_problem


def one(server, **keys):
    return {"clients": {"a": client(server, **keys)}}


def test_a_request_of_client_secret_basic(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server, scope="b a", audience="urn:aud", client_id="id",
                              resource=["https://x.example/r", "urn:y"], parameters={"realm": "x y"},
                              headers={"X-Tenant": "blue"}, client_secret=new_secret()))
    assert daemon.get_token("a").status == 200
    request = authorization_server.requests[0]
    assert (request.method, request.target) == ("POST", "/token")
    assert request.header("Content-Type").split(";")[0] == "application/x-www-form-urlencoded"
    assert request.header("Accept") == "application/json"
    assert request.header("X-Tenant") == "blue"
    assert request.header("Host") == f"127.0.0.1:{authorization_server.port}"
    form = authorization_server.form(0)
    assert sorted(form) == sorted([("grant_type", "client_credentials"), ("scope", "a b"), ("audience", "urn:aud"),
                                   ("resource", "https://x.example/r"), ("resource", "urn:y"), ("realm", "x y")])


def test_a_request_of_client_secret_post_has_no_authorization(start_daemon, authorization_server):
    secret = new_secret(" +&=%/")
    daemon = start_daemon(one(authorization_server, client_secret=secret, client_id="a b",
                              token_endpoint_auth_method="client_secret_post"))
    assert daemon.get_token("a").status == 200
    assert authorization_server.requests[0].header("Authorization") is None
    assert ("client_id", "a b") in authorization_server.form(0)
    assert ("client_secret", secret) in authorization_server.form(0)


def test_basic_credentials_are_form_encoded_unless_rfc2617_is_asked_for(start_daemon, authorization_server):
    secret = new_secret(": +&=%~")
    for style, credentials in [("rfc6749", f"{form_encode('a:b')}:{form_encode(secret)}"), ("rfc2617", None)]:
        client_id = "a:b" if style == "rfc6749" else "ab"
        daemon = start_daemon(one(authorization_server, client_id=client_id, client_secret=secret,
                                  authorization_header_style=style))
        assert daemon.get_token("a").status == 200
        sent = authorization_server.basic_credentials()
        assert sent.replace("~", "%7E") == (credentials or f"ab:{secret}").replace("~", "%7E")


def test_a_definition_without_scope_sends_none(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server))
    assert daemon.get_token("a").status == 200
    assert authorization_server.form(0) == [("grant_type", "client_credentials")]


def without_inline_secret(server, **keys):
    definition = client(server, **keys)
    del definition["client_secret"]
    return {"clients": {"a": definition}}


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"], ids=["bare", "newline", "crlf"])
def test_one_trailing_newline_of_a_secret_file_is_dropped(start_daemon, authorization_server, directory, ending):
    secret = new_secret()
    (directory / "secret").write_bytes((secret + ending).encode())
    daemon = start_daemon(without_inline_secret(authorization_server, client_secret_file=directory / "secret"))
    assert daemon.get_token("a").status == 200
    assert authorization_server.basic_credentials() in (f"worker:{secret}", f"worker:{form_encode(secret + chr(13))}")
    if ending != "\r\n":
        assert authorization_server.basic_credentials() == f"worker:{secret}"


def test_a_secret_may_come_from_the_environment_with_a_warning(start_daemon, authorization_server):
    secret = new_secret()
    daemon = start_daemon(without_inline_secret(authorization_server, client_secret_env="GRANTD_TEST_SECRET"),
                          environment={"GRANTD_TEST_SECRET": secret})
    assert daemon.get_token("a").status == 200
    assert authorization_server.basic_credentials() == f"worker:{secret}"
    until(lambda: [line for line in daemon.log().splitlines() if line.startswith("<4>")])


def test_a_secret_may_be_a_systemd_credential(start_daemon, authorization_server, directory):
    secret = new_secret()
    (directory / "catalog-secret").write_text(secret)
    daemon = start_daemon(without_inline_secret(authorization_server, client_secret_credential="catalog-secret"),
                          environment={"CREDENTIALS_DIRECTORY": str(directory)})
    assert daemon.get_token("a").status == 200
    assert authorization_server.basic_credentials() == f"worker:{secret}"


def test_a_rotated_secret_is_used_without_a_restart(start_daemon, authorization_server, directory):
    old, new = new_secret(), new_secret()
    file = directory / "secret"
    file.write_text(old)
    daemon = start_daemon(without_inline_secret(authorization_server, client_secret_file=file))
    assert daemon.get_token("a").status == 200
    (directory / "next").write_text(new)
    (directory / "next").rename(file)
    assert daemon.post_token("a", force_renewal=True).status == 200
    assert authorization_server.basic_credentials(-2) == f"worker:{old}"
    assert authorization_server.basic_credentials(-1) == f"worker:{new}"


def test_a_secret_file_that_vanishes_leaves_the_last_one_in_use(start_daemon, authorization_server, directory):
    secret = new_secret()
    file = directory / "secret"
    file.write_text(secret)
    daemon = start_daemon(without_inline_secret(authorization_server, client_secret_file=file))
    assert daemon.get_token("a").status == 200
    file.unlink()
    assert daemon.post_token("a", force_renewal=True).status == 200
    assert authorization_server.basic_credentials() == f"worker:{secret}"


def test_an_empty_secret_file_makes_the_client_unavailable(start_daemon, authorization_server, directory):
    (directory / "secret").write_text("\n")
    daemon = start_daemon(without_inline_secret(authorization_server, client_secret_file=directory / "secret"))
    assert_problem(daemon.get_token("a"), "client_unavailable")
    assert authorization_server.count == 0


def test_a_changed_secret_clears_a_remembered_error(start_daemon, authorization_server, directory):
    from authorization_server import oauth_error

    file = directory / "secret"
    file.write_text(new_secret())
    daemon = start_daemon(without_inline_secret(authorization_server, client_secret_file=file))
    authorization_server.script(*[oauth_error("invalid_client", 401)] * 4)
    until(lambda: daemon.get_token("a").json().get("retry_after", 0) >= 3)  # far into the backoff
    assert authorization_server.count >= 3
    authorization_server.script_always(authorization_server.otherwise)
    before = authorization_server.count
    assert_problem(daemon.get_token("a"), "token_request_rejected")
    assert authorization_server.count == before
    (directory / "next").write_text(new_secret())
    (directory / "next").rename(file)
    assert daemon.get_token("a").status == 200
