"""Restarts, upgrades and crashes under systemd: the authorization server does not hear of them."""

import base64
import json
import signal

import pytest

from authorization_server import token
from grantd import client
from machine import until

names = ("plain", "scoped")


@pytest.fixture
def definitions(authorization_server):
    return {"plain": client(authorization_server), "scoped": client(authorization_server, scope="catalog invoices")}


@pytest.fixture
def serving(service, definitions):
    service.configure(clients=definitions)
    return service


def tokens(machine):
    """{client: (access_token, version)}"""
    answers = {name: machine.ask_token(name, user="alice").json() for name in names}
    return {name: (answer["access_token"], answer["version"]) for name, answer in answers.items()}


def restart(service):
    service.systemctl("restart")


def reinstall(service):
    service.reinstall()


def crash(number):
    return lambda service: service.kill(number)


def watchdog(service):
    before = service.main_pid
    service.machine.kill(signal.SIGSTOP, before)
    until(lambda: service.state == "active" and service.main_pid not in (0, before))


ways = {"restart": restart, "upgrade": reinstall, "SIGKILL": crash(signal.SIGKILL), "SIGABRT": crash(signal.SIGABRT),
        "watchdog": watchdog}


def test_systemd_holds_what_the_daemon_gave_it_to_keep(serving, machine):
    tokens(machine)
    kept = until(lambda: int(serving.get("NFileDescriptorStore")), timeout=5)
    serving.properties("FileDescriptorStoreMax", "NFileDescriptorStore")
    assert kept <= int(serving.get("FileDescriptorStoreMax"))


@pytest.mark.parametrize("way", ways)
def test_the_same_tokens_are_served_without_a_new_request(serving, machine, authorization_server, way):
    if way == "watchdog":
        serving.drop_in("WatchdogSec=2s")
    before, pid = tokens(machine), serving.main_pid
    assert authorization_server.count == 2
    ways[way](serving)
    assert tokens(machine) == before
    assert serving.main_pid != pid
    machine.say(f"token requests: {authorization_server.count}")
    assert authorization_server.count == 2


def test_tokens_outlive_one_end_after_another(serving, machine, authorization_server):
    before = tokens(machine)
    for way in (restart, crash(signal.SIGKILL), reinstall, crash(signal.SIGABRT), restart, crash(signal.SIGKILL), restart):
        way(serving)
    assert tokens(machine) == before
    assert authorization_server.count == 2


def test_callers_of_a_daemon_that_crashes_over_and_over_wait_and_lose_nothing(serving, machine, authorization_server):
    before = tokens(machine)
    pause = machine.get_property("grantd-pause.service", "InactiveExitTimestampMonotonic")
    crashes = 12  # within about ten seconds; five starts are what systemd has patience for by default
    for number in range(crashes):
        machine.run("sh", "-c", f"kill -KILL {serving.main_pid}", shown=number == 0)
        assert tokens(machine) == before
    assert serving.properties("NRestarts", "ActiveState") == {"NRestarts": str(crashes), "ActiveState": "active"}
    # Crashes are followed by a start without it.
    assert machine.get_property("grantd-pause.service", "InactiveExitTimestampMonotonic") == pause
    machine.say(f"token requests: {authorization_server.count}")
    assert authorization_server.count == 2


def test_who_connects_while_the_daemon_is_down_after_a_crash_waits_for_the_next(serving, machine, authorization_server):
    before = tokens(machine)
    serving.drop_in("RestartSec=5s")
    machine.run("sh", "-c", f"kill -KILL {serving.main_pid}")
    until(lambda: serving.get("SubState") == "auto-restart")
    waiting = [machine.ask_and_wait(f"/v1/tokens/{name}", user="alice") for name in names]
    until(lambda: serving.get("SubState", unit="grantd.socket") == "running")
    assert serving.get("SubState") == "auto-restart"
    assert {name: answer().json()["access_token"] for name, answer in zip(names, waiting)} == {
        name: value for name, (value, _) in before.items()}
    assert authorization_server.count == 2


def test_what_was_fetched_after_a_restart_is_kept_over_the_next(serving, machine, authorization_server):
    before = tokens(machine)
    restart(serving)
    assert machine.ask("/v1/tokens/plain", method="DELETE", user="alice").status == 204
    between = tokens(machine)
    assert between["plain"] != before["plain"] and between["scoped"] == before["scoped"]
    serving.kill(signal.SIGKILL)
    assert tokens(machine) == between
    assert authorization_server.count == 3


def test_a_change_of_timing_or_access_loses_no_token(serving, machine, authorization_server, definitions):
    before = tokens(machine)
    definitions["plain"] |= {"refresh_before_expiry": "30s"}
    definitions["scoped"] |= {"allow_users": ["alice"]}
    serving.configure(clients=definitions)
    restart(serving)
    assert tokens(machine) == before
    assert authorization_server.count == 2


def test_a_token_whose_definition_changed_is_not_restored(serving, machine, authorization_server, definitions):
    before = tokens(machine)
    definitions["plain"] |= {"client_id": "other"}
    definitions["scoped"] |= {"scope": "catalog"}
    serving.configure(clients=definitions)
    restart(serving)
    after = tokens(machine)
    assert authorization_server.count == 4
    assert not {value for value, _ in after.values()} & {value for value, _ in before.values()}


def test_nothing_is_kept_of_what_was_deleted(serving, machine, authorization_server):
    before = tokens(machine)
    assert machine.ask("/v1/tokens/plain", method="DELETE", user="alice").status == 204
    restart(serving)
    after = tokens(machine)
    assert after["plain"] != before["plain"] and after["scoped"] == before["scoped"]
    assert authorization_server.count == 3


def test_a_key_made_at_start_is_kept_with_its_tokens(service, machine, authorization_server):
    authorization_server.script_always(token(token_type="DPoP"))
    service.configure(clients={"bound": client(authorization_server, dpop=True)})
    before = machine.ask_token("bound", user="alice").json()
    assert before["token_type"] == "DPoP"

    def key():
        body = json.dumps({"method": "GET", "url": "https://api.example/x", "version": before["version"]})
        answer = machine.run("curl", "--silent", "--show-error", "--json", body, "--unix-socket", "/run/grantd/grantd.sock",
                             "http://localhost/v1/dpop/bound", user="alice")
        header = json.loads(answer.stdout)["dpop"].split(".")[0]
        return json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["jwk"]

    made_at_start = key()
    restart(service)
    assert machine.ask_token("bound", user="alice").json()["version"] == before["version"]
    assert key() == made_at_start
    service.kill(signal.SIGKILL)
    assert key() == made_at_start
    assert authorization_server.count == 1
