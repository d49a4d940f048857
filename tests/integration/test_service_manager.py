"""What the daemon tells the service manager that started it, and the sockets it takes from it. The test plays the manager's
part of sd_notify(3) and sd_listen_fds(3)."""

import queue
import re
import signal
import sys

import pytest

import token_page
from grantd import client, patience, until
from service_manager import Manager


@pytest.fixture
def managed(make_daemon, authorization_server):
    """(daemon, manager), not started; keys are further environment variables."""
    managers = []

    def make(wrapper=(), **environment):
        daemon = make_daemon({"clients": {"a": client(authorization_server), "b": client(authorization_server)}},
                             wrapper=wrapper)
        manager = Manager(daemon.directory)
        managers.append(manager)
        daemon.environment = {"NOTIFY_SOCKET": str(manager.path), **environment}
        return daemon, manager

    yield make
    for manager in managers:
        manager.close()


def test_ready_is_said_once_the_socket_is_served(managed):
    daemon, manager = managed()
    daemon.launch()
    assert manager.message() == {"READY": "1", "STATUS": "Serving 2 clients and 0 APIs"}
    assert daemon.get_token("a").status == 200


def test_a_daemon_that_cannot_start_never_says_ready(managed):
    daemon, manager = managed()
    daemon.socket.write_text("in the way")
    daemon.launch()
    daemon.expected_status = daemon.process.wait(patience)
    assert daemon.expected_status == 1
    with pytest.raises(queue.Empty):
        manager.message(0.1)


@pytest.mark.parametrize("way", ["request", "signal"])
def test_a_reload_is_announced_and_its_outcome_is_in_the_status(managed, way):
    daemon, manager = managed()
    daemon.start()
    manager.message_with("READY")

    def reload():
        if way == "request":
            daemon.reload()
        else:
            daemon.signal(signal.SIGHUP)
        began = manager.message()
        assert began["RELOADING"] == "1" and int(began["MONOTONIC_USEC"]) > 0
        return manager.message()

    assert reload() == {"READY": "1", "STATUS": "Serving 2 clients and 0 APIs"}
    good = daemon.config.read_text()
    daemon.config.write_text("nonsense")
    assert "the last reload was refused" in reload()["STATUS"]
    daemon.config.write_text(good)
    assert "refused" not in reload()["STATUS"]


def test_a_stop_is_announced(managed):
    daemon, manager = managed()
    daemon.start()
    daemon.stop()
    assert manager.message_with("STOPPING")["STATUS"]


def test_the_watchdog_is_fed_while_the_daemon_makes_progress(managed):
    daemon, manager = managed(WATCHDOG_USEC="300000")
    daemon.start()
    for _ in range(3):
        assert manager.message_with("WATCHDOG") == {"WATCHDOG": "1"}


def test_nobody_is_fed_where_there_is_no_watchdog(managed):
    daemon, manager = managed()
    daemon.start()
    daemon.get_token("a")
    daemon.stop()
    seen = [manager.message() for _ in range(2)]
    assert not any("WATCHDOG" in message for message in seen)


def test_a_manager_that_does_not_read_holds_up_nobody_and_is_told_everything_later(managed):
    daemon, manager = managed(WATCHDOG_USEC="30000", FDSTORE="8")
    with manager.busy():
        daemon.start()
        until(lambda: daemon.reload().status == 204 and daemon.events("service_manager_silent"), interval=0.05)
        for _ in range(100):
            assert daemon.get_token("a").status == 200
        without_page = token_page.ask(daemon.socket, "a")
        assert without_page.descriptor is None and without_page.document["access_token"]
    assert manager.message_with("READY")["STATUS"] == "Serving 2 clients and 0 APIs"
    assert manager.message_with("WATCHDOG")
    until(lambda: [name for name, _ in manager.held] == ["tokens"])
    with_page = token_page.ask(daemon.socket, "a")
    assert with_page.descriptor is not None
    with_page.close()
    until(lambda: len(manager.held) == 2)
    daemon.stop()


def test_a_manager_that_is_not_there_is_no_reason_not_to_serve(make_daemon, authorization_server):
    daemon = make_daemon({"clients": {"a": client(authorization_server)}})
    daemon.environment = {"NOTIFY_SOCKET": str(daemon.directory / "gone"), "FDSTORE": "8", "WATCHDOG_USEC": "30000"}
    daemon.start()
    assert token_page.ask(daemon.socket, "a").document["access_token"]
    until(lambda: daemon.events("service_manager_silent"))
    assert daemon.events("no_page")


# Started in place of the daemon: makes a socket as the manager would, and becomes the daemon with it as descriptor 3.
passing = """
import os, socket, sys
family, path, *command = sys.argv[1:]
made = socket.socket(getattr(socket, family))
made.bind(path if family == "AF_UNIX" else ("127.0.0.1", 0))
made.listen()
if made.fileno() != 3:
    os.dup2(made.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="grantd.socket")
os.execv(command[0], command)
"""


def passed_by_manager(daemon, family="AF_UNIX"):
    daemon.wrapper = [sys.executable, "-c", passing, family, str(daemon.socket)]


def test_a_passed_socket_wins_and_stays_when_the_daemon_ends(managed):
    daemon, _ = managed()
    own = daemon.directory / "own.sock"
    daemon.config.write_text(daemon.config.read_text().replace(str(daemon.socket), str(own)))
    passed_by_manager(daemon)
    daemon.start()
    assert daemon.get_token("a").status == 200
    assert not own.exists()
    assert "passed by the service manager" in until(lambda: daemon.events("started"))[0]
    assert daemon.stop() == 0
    assert daemon.socket.exists()


def test_a_reload_says_nothing_of_the_sockets_keys_where_a_socket_was_passed(managed):
    daemon, _ = managed()
    passed_by_manager(daemon)
    daemon.start()
    daemon.config.write_text(daemon.config.read_text().replace(str(daemon.socket), str(daemon.directory / "other.sock")))
    assert daemon.reload().status == 204
    assert until(lambda: daemon.events("reloaded"))
    assert not daemon.events("restart_needed")


def test_a_passed_descriptor_that_is_no_unix_socket_is_refused(managed):
    daemon, _ = managed()
    passed_by_manager(daemon, "AF_INET")
    daemon.launch()
    daemon.expected_status = daemon.process.wait(patience)
    assert daemon.expected_status == 1
    assert re.search(r"event=not_started .*no listening Unix stream socket", daemon.log())
