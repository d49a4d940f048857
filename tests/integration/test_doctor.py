"""The doctor: each thing that can be wrong on the way to a token is found where it is, with what to change."""

import email.utils
import json
import time

import authorization_server as scripted
import pytest
from conftest import real_client
from grantd import client, grantctl, until
from problems import assert_problem
from real_authorization_server import RealAuthorizationServer

way = ["configuration", "credentials", "name", "tcp", "tls", "token_request", "token_type", "scope", "lifetime", "clock"]


def examine(daemon, name="a"):
    answer = daemon.request("POST", f"/v1/clients/{name}/doctor")
    assert answer.status == 200 and answer.header("Content-Type") == "application/x-ndjson"
    steps = [json.loads(line) for line in answer.body.decode().splitlines()]
    for step in steps:
        assert set(step) == {"step", "ok", "detail", "advice"}
        assert step["detail"] and (step["ok"] or step["advice"]), step
    return steps


def failed(steps):
    """The step that failed, which is all there is to say of the way before it."""
    assert [step["step"] for step in steps if not step["ok"]] == [steps[-1]["step"]], steps
    return steps[-1]


def one(server, **keys):
    return {"clients": {"a": client(server, **keys)}}


def without_secret(server, **keys):
    configuration = one(server, **keys)
    del configuration["clients"]["a"]["client_secret"]
    return configuration


def test_a_good_way_is_told_step_by_step(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server, scope="a b"))
    steps = examine(daemon)
    assert [step["step"] for step in steps] == way and all(step["ok"] for step in steps)
    assert "plain http" in steps[4]["detail"] and steps[4]["advice"]
    assert "granted: a b" in steps[7]["detail"] and "3600" in steps[8]["detail"]
    # what the doctor did is its own affair
    assert daemon.clients()["a"]["state"] == "idle" and daemon.clients()["a"]["fetched"] == 0


def test_the_way_to_a_real_server_over_tls(start_daemon, certificate_authority, server_certificate):
    server = RealAuthorizationServer([real_client("tls")], certificate=server_certificate)
    keys = {"client_id": "tls", "client_secret": server.clients["tls"]["client_secret"], "issuer": server.issuer,
            "tls_ca_file": certificate_authority.certificate}
    good = client(server, **keys)
    del good["token_endpoint"]
    distrusting = {key: value for key, value in good.items() if key != "tls_ca_file"}
    try:
        daemon = start_daemon({"clients": {"a": good, "b": distrusting}})
        steps = examine(daemon)
        assert all(step["ok"] for step in steps), steps
        assert [step["step"] for step in steps] == way[:5] + ["discovery"] + way[5:]
        step = failed(examine(daemon, "b"))
        assert step["step"] == "tls" and "certificate" in step["detail"] and "tls_ca_file" in step["advice"]
    finally:
        server.close()


def test_what_cannot_be_read_is_named(start_daemon, authorization_server, directory):
    daemon = start_daemon(without_secret(authorization_server, client_secret_file=directory / "absent"))
    step = failed(examine(daemon))
    assert step["step"] == "credentials" and str(directory / "absent") in step["detail"]
    assert authorization_server.count == 0


def test_a_name_that_does_not_exist_is_told(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server, token_endpoint="https://absent.invalid/token",
                              request_timeout="5s"))
    step = failed(examine(daemon))
    assert step["step"] == "name" and "absent.invalid" in step["detail"] and "token_endpoint" in step["advice"]


def test_a_closed_port_is_told(start_daemon, authorization_server):
    step = failed(examine(start_daemon(one(authorization_server, token_endpoint="https://127.0.0.1:1/token"))))
    assert step["step"] == "tcp" and "127.0.0.1 port 1" in step["detail"]


def test_the_servers_refusal_is_told_with_what_to_check(start_daemon, authorization_server):
    authorization_server.script_always(scripted.oauth_error("invalid_client", 401, "no such client"))
    steps = examine(start_daemon(one(authorization_server)))
    assert [step["step"] for step in steps if not step["ok"]] == ["token_request"]
    refusal = steps[5]
    assert "invalid_client" in refusal["detail"] and "no such client" in refusal["detail"]
    assert "client_id" in refusal["detail"]


def test_a_document_of_another_issuer_is_told(start_daemon, authorization_server):
    authorization_server.script_always(scripted.json_answer({"issuer": "https://other.example"}))
    configuration = one(authorization_server, issuer=authorization_server.origin)
    del configuration["clients"]["a"]["token_endpoint"]
    step = failed(examine(start_daemon(configuration)))
    assert step["step"] == "discovery" and "issuer" in step["detail"] and "issuer" in step["advice"]


def test_scopes_withheld_and_odd_lifetimes_are_told(start_daemon, authorization_server):
    authorization_server.script(scripted.token(scope="a", expires_in=0), scripted.token(expires_in=30))
    daemon = start_daemon(one(authorization_server, scope="a b c"))
    steps = {step["step"]: step for step in examine(daemon)}
    assert not steps["scope"]["ok"] and "b c" in steps["scope"]["detail"]
    assert not steps["lifetime"]["ok"]
    steps = {step["step"]: step for step in examine(daemon)}
    assert steps["lifetime"]["ok"] and "refresh_before_expiry" in steps["lifetime"]["advice"]


@pytest.mark.parametrize("ahead, ok", [(0, True), (-3600, False), (600, False)])
def test_a_clock_that_differs_is_told(start_daemon, authorization_server, ahead, ok):
    def give(wire, request):
        date = email.utils.formatdate(time.time() + ahead, usegmt=True)
        document = {"access_token": scripted.new_token(), "token_type": "Bearer", "expires_in": 60}
        return scripted.json_answer(document, headers=[("Date", date)])(wire, request)

    authorization_server.script_always(give)
    clock = examine(start_daemon(one(authorization_server)))[-1]
    assert clock["step"] == "clock" and clock["ok"] == ok
    if not ok:
        assert ("ahead" if ahead > 0 else "behind") in clock["detail"] and "clock" in clock["advice"]


def test_an_unbound_token_is_told(start_daemon, authorization_server):
    steps = {step["step"]: step for step in examine(start_daemon(one(authorization_server, dpop=True)))}
    assert not steps["token_type"]["ok"] and "dpop" in steps["token_type"]["advice"]


def test_a_method_that_is_not_offered_is_told(start_daemon, authorization_server):
    def give(wire, request):
        document = {"issuer": authorization_server.origin, "token_endpoint": authorization_server.token_endpoint,
                    "token_endpoint_auth_methods_supported": ["private_key_jwt"]}
        return (scripted.json_answer(document) if request.method == "GET" else scripted.token())(wire, request)

    authorization_server.script_always(give)
    configuration = one(authorization_server, issuer=authorization_server.origin)
    del configuration["clients"]["a"]["token_endpoint"]
    steps = {step["step"]: step for step in examine(start_daemon(configuration))}
    assert "private_key_jwt" in steps["discovery"]["advice"]


def test_a_server_that_never_answers_ends_with_request_timeout(start_daemon, authorization_server):
    authorization_server.script_always(scripted.hang())
    daemon = start_daemon(one(authorization_server, request_timeout="300ms"))
    steps = examine(daemon)
    assert [step["step"] for step in steps if not step["ok"]] == ["token_request"]
    assert "token_request_timeout" in steps[5]["detail"]


@pytest.mark.root
def test_only_administrators_may_ask_the_doctor(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server) | {"daemon": {"socket_mode": "0666"}})
    assert_problem(daemon.request("POST", "/v1/clients/a/doctor", uid=65533), "access_denied")
    assert grantctl("doctor", "a", socket=daemon.socket, uid=65533).returncode == 77
    assert_problem(daemon.request("POST", "/v1/clients/absent/doctor"), "unknown_client")
    assert daemon.request("GET", "/v1/clients/a/doctor").status == 405
    assert authorization_server.count == 0


def test_grantctl_shows_each_step_and_what_to_change(start_daemon, authorization_server):
    daemon = start_daemon({"clients": {"good": client(authorization_server),
                                       "bad": client(authorization_server, token_endpoint="https://127.0.0.1:1/token")}})
    good = grantctl("doctor", "good", socket=daemon.socket)
    assert good.returncode == 0 and good.stderr == ""
    assert [line.split()[1] for line in good.stdout.splitlines() if line.startswith("ok ")] == way
    bad = grantctl("doctor", "bad", socket=daemon.socket)
    assert bad.returncode == 1
    assert "FAILED  tcp" in bad.stdout and "-> check the port in token_endpoint" in bad.stdout
    assert grantctl("doctor", "absent", socket=daemon.socket).returncode == 1


def begin(daemon):
    """A visit that has come to the token request."""
    connection = daemon.connect()
    connection.send_request("POST", "/v1/clients/a/doctor")
    while b'"tls"' not in connection.buffer:
        connection.fill()
    return connection


def test_a_step_is_shown_as_it_is_done(start_daemon, authorization_server, gate):
    authorization_server.script_always(scripted.gated(gate, scripted.token()))
    with begin(start_daemon(one(authorization_server))) as connection:
        until(lambda: authorization_server.connections >= 2)
        assert b"token_request" not in connection.buffer
        gate.set()
        while b'"clock"' not in connection.buffer:
            connection.fill()


def test_a_caller_that_goes_away_ends_the_visit(start_daemon, authorization_server, gate):
    authorization_server.script_always(scripted.gated(gate, scripted.token()))
    daemon = start_daemon(one(authorization_server))
    begin(daemon).close()
    gate.set()
    until(lambda: daemon.metric("grantd_connections") <= 1)
