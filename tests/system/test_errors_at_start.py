"""A daemon that cannot start: it is heard of, nobody turns in circles, and once the cause is gone nothing is left of it."""

import time

import pytest

from grantd import client
from machine import until
from service import configuration_file

wrong = "[clients.a]\nclient_idd = 'x'\n"
refusal = "Main process exited, code=exited, status=78"


def refusals(machine, logged):
    return len(machine.journal(refusal, logged))


@pytest.fixture
def definitions(authorization_server):
    return {"a": client(authorization_server)}


def test_a_start_with_an_error_in_the_configuration_fails_and_is_not_tried_again(service, machine, definitions):
    logged = machine.journal_so_far()
    service.write_configuration(wrong)
    assert service.systemctl("start", check=False).returncode != 0
    ended = service.properties("ActiveState", "Result", "ExecMainStatus")
    assert ended == {"ActiveState": "failed", "Result": "exit-code", "ExecMainStatus": "78"}
    time.sleep(3 * 0.5)  # three times the pause before a restart, in which nothing is to happen
    assert refusals(machine, logged) == 1 and service.properties("NRestarts") == {"NRestarts": "0"}
    service.configure(clients=definitions)
    assert machine.ask_token("a", user="alice").status == 200


def test_who_waits_meanwhile_is_served_once_the_configuration_is_mended(service, machine, definitions):
    logged = machine.journal_so_far()
    service.write_configuration(wrong)
    waiting = [machine.ask_and_wait("/v1/tokens/a", user=name) for name in ("alice", "bob")]
    until(lambda: refusals(machine, logged) > 0)
    began = time.monotonic()
    until(lambda: refusals(machine, logged) > 3)
    took = time.monotonic() - began
    machine.say(f"attempts to start while callers wait: 3 in {took:.1f} s")
    assert took > 3 * 1.5
    assert service.get("ActiveState", unit="grantd.socket") == "active"
    service.configure(clients=definitions)
    assert [answer().status for answer in waiting] == [200, 200]
    assert machine.ask_token("a", user="alice").status == 200


def test_connections_that_were_given_up_cause_attempts_until_the_socket_is_stopped(service, machine, definitions):
    logged = machine.journal_so_far()
    service.write_configuration(wrong)
    assert machine.ask("/v1/tokens/a", user="alice", patience=1).status == 0
    seen = refusals(machine, logged)
    until(lambda: refusals(machine, logged) > seen + 1)
    machine.run("systemctl", "stop", "grantd.socket", "grantd.service")
    machine.run("systemctl", "start", "grantd.socket")
    assert service.state in ("failed", "inactive") and service.get("ActiveState", unit="grantd.socket") == "active"
    seen = refusals(machine, logged)
    time.sleep(3)  # longer than the pause, in which nothing is to happen
    assert refusals(machine, logged) == seen
    service.configure(clients=definitions)
    assert machine.ask_token("a", user="alice").status == 200


@pytest.mark.parametrize("verb", ["start", "restart", "reload-or-restart"])
def test_once_it_is_mended_every_way_to_start_works_at_once(service, machine, definitions, verb):
    logged = machine.journal_so_far()
    service.write_configuration(wrong)
    waiting = machine.ask_and_wait("/v1/tokens/a", user="alice")
    # More often than systemd starts a unit within ten seconds by default.
    for _ in range(3):
        assert service.systemctl("restart", check=False).returncode != 0
    until(lambda: refusals(machine, logged) > 4)
    service.configure(clients=definitions)
    began = time.monotonic()
    service.systemctl(verb)
    took = time.monotonic() - began
    machine.say(f"{verb}: {took:.1f} s")
    assert took < 5
    assert waiting().status == 200
    assert machine.ask_token("a", user="alice").status == 200


def test_what_else_it_cannot_do_without_is_waited_for(service, machine, definitions):
    logged = machine.journal_so_far()
    service.configure(clients=definitions)
    service.drop_in("User=nobody-of-this-name")
    waiting = machine.ask_and_wait("/v1/tokens/a", user="alice")
    # The default limit, after which systemd would leave it.
    until(lambda: len(machine.journal("status=217/USER", logged)) > 5)
    assert service.get("ActiveState", unit="grantd.socket") == "active"
    service.drop_in("User=grantd")
    assert waiting().status == 200


def test_an_upgrade_leaves_the_old_daemon_alone_with_a_configuration_that_the_new_one_refuses(service, machine, definitions,
                                                                                              authorization_server):
    service.configure(clients=definitions)
    before, pid = machine.ask_token("a", user="alice").json(), service.main_pid
    service.write_configuration(wrong)
    told = service.reinstall()
    assert f"{configuration_file}:2:1: " in told.stderr and "client_idd" in told.stderr
    assert "refuses the configuration" in told.stderr and "systemctl restart grantd" in told.stderr
    assert service.main_pid == pid and service.state == "active"
    assert machine.ask_token("a", user="alice").json()["version"] == before["version"]
    service.configure(clients=definitions)
    service.systemctl("restart")
    assert machine.ask_token("a", user="alice").json()["version"] == before["version"]
    assert service.main_pid != pid and authorization_server.count == 1


def test_an_upgrade_restarts_although_files_accounts_or_credentials_are_missing(service, machine, definitions,
                                                                               authorization_server):
    def odd(**keys):
        definition = client(authorization_server, **keys)
        if any(key.startswith("client_secret_") for key in keys):
            del definition["client_secret"]
        return definition

    definitions["file"] = odd(client_secret_file="/etc/grantd/secrets/absent")
    definitions["credential"] = odd(client_secret_credential="absent")
    definitions["user"] = odd(allow_users=["nobody-of-this-name"])
    service.configure(clients=definitions)
    before, pid = machine.ask_token("a", user="alice").json(), service.main_pid
    assert "refuses" not in service.reinstall().stderr
    assert machine.ask_token("a", user="alice").json()["version"] == before["version"]
    assert service.main_pid != pid and authorization_server.count == 1


def test_an_upgrade_asks_for_the_configuration_that_the_service_was_given(service, machine, definitions):
    other = "/etc/grantd/other.toml"
    service.configure(clients=definitions)
    machine.run("cp", "--preserve", configuration_file, other)
    service.drop_in("ExecStart=", f"ExecStart=/usr/bin/grantd --config {other}")
    try:
        machine.ask_token("a", user="alice")
        pid = service.main_pid
        service.write_configuration(wrong)
        service.reinstall()
        assert service.main_pid not in (0, pid)
        pid = service.main_pid
        machine.write(other, wrong)
        assert f"{other}:2:1: " in service.reinstall().stderr
        assert service.main_pid == pid
    finally:
        machine.path(other).unlink()


def test_a_restart_with_an_error_loses_tokens_only_where_systemd_forgets_them(service, machine, definitions,
                                                                             authorization_server):
    first_that_preserves = 254
    service.configure(clients=definitions)
    before = machine.ask_token("a", user="alice").json()["version"]
    service.write_configuration(wrong)
    assert service.systemctl("restart", check=False).returncode != 0
    service.configure(clients=definitions)
    service.systemctl("restart")
    after = machine.ask_token("a", user="alice").json()["version"]
    assert (after == before) == (machine.systemd_version >= first_that_preserves)
