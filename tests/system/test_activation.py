"""The socket is there, and the service comes with the first connection; stop, start, reload, and unwanted ends."""

import signal

from grantd import client
from service import socket_file


def test_the_first_connection_starts_the_service(service, machine, authorization_server):
    service.configure(clients={"a": client(authorization_server)})
    machine.run("systemctl", "is-active", "grantd.socket")
    assert machine.run("systemctl", "is-active", "grantd.service", check=False).stdout.strip() == "inactive"
    answer = machine.ask_token("a", user="alice")
    assert answer.status == 200 and answer.json()["client"] == "a"
    machine.run("systemctl", "is-active", "grantd.service")
    assert service.properties("StatusText", "Type", "NotifyAccess") == {
        "StatusText": "Serving 1 client and 0 APIs", "Type": "notify", "NotifyAccess": "main"}


def test_the_socket_is_for_the_callers_group_alone(service, machine, authorization_server):
    service.configure(clients={"a": client(authorization_server)})
    assert machine.run("stat", "--format=%U:%G %a", socket_file).stdout.strip() == "grantd:grantd-clients 660"
    assert machine.run("stat", "--format=%U:%G %a", "/run/grantd").stdout.strip() == "root:root 755"
    assert machine.run("id", "--groups", "--name", "grantd").stdout.split() == ["grantd"]
    could_not_connect = 7
    assert machine.ask_token("a", user="carol").exit_status == could_not_connect
    assert service.state == "inactive"


def test_a_stop_ends_with_0_and_the_next_connection_starts_again(service, machine, authorization_server):
    service.configure(clients={"a": client(authorization_server)})
    assert machine.ask_token("a", user="alice").status == 200
    service.systemctl("stop")
    ended = service.properties("ActiveState", "Result", "ExecMainStatus", "ExecMainCode")
    exited = "1"
    assert ended == {"ActiveState": "inactive", "Result": "success", "ExecMainCode": exited, "ExecMainStatus": "0"}
    service.systemctl("start")
    assert machine.ask_token("a", user="alice").status == 200
    service.systemctl("stop")
    assert machine.ask_token("a", user="alice").status == 200


def test_a_good_reload_takes_effect_without_a_restart(service, machine, authorization_server):
    service.configure(clients={"a": client(authorization_server)})
    before = machine.ask_token("a", user="alice").json()["version"]
    pid = service.main_pid
    definition = client(authorization_server)
    service.configure(clients={"b": definition})
    assert service.systemctl("reload").returncode == 0
    assert machine.ask_token("a", user="alice").code == "unknown_client"
    assert machine.ask_token("b", user="alice").json()["version"] != before
    assert service.main_pid == pid and service.get("NRestarts") == "0"


def test_a_bad_reload_fails_and_the_old_configuration_goes_on_serving(service, machine, authorization_server):
    service.configure(clients={"a": client(authorization_server)})
    before = machine.ask_token("a", user="alice").json()
    pid, logged = service.main_pid, machine.journal_so_far()
    service.write_configuration("[clients.b]\nclient_idd = 'x'\n")
    assert service.systemctl("reload", check=False).returncode != 0
    after = machine.ask_token("a", user="alice").json()
    assert (after["access_token"], after["version"]) == (before["access_token"], before["version"])
    assert service.state == "active" and service.main_pid == pid
    assert "the last reload was refused" in service.properties("StatusText")["StatusText"]
    assert "client_id" in machine.wait_for_journal("client_idd", logged)[0]
    assert authorization_server.count == 1


def test_a_daemon_that_hangs_is_killed_by_the_watchdog_and_the_next_call_works(service, machine, authorization_server):
    service.configure(clients={"a": client(authorization_server)})
    service.drop_in("WatchdogSec=2s")
    assert machine.ask_token("a", user="alice").status == 200
    pid, logged = service.main_pid, machine.journal_so_far()
    machine.kill(signal.SIGSTOP, pid)
    machine.wait_for_journal("Watchdog timeout", logged)
    assert machine.ask_token("a", user="alice").status == 200
    assert service.main_pid != pid
    assert service.properties("NRestarts", "WatchdogUSec") == {"NRestarts": "1", "WatchdogUSec": "2s"}


def test_a_crash_is_followed_by_a_start(service, machine, authorization_server):
    service.configure(clients={"a": client(authorization_server)})
    assert machine.ask_token("a", user="alice").status == 200
    service.kill(signal.SIGKILL)
    assert machine.ask_token("a", user="alice").status == 200
    assert service.get("NRestarts") == "1"
