"""`allow_units`, with real control groups in the place where systemd would make them."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from grantd import api, client, until
from problems import assert_problem

pytestmark = pytest.mark.root

# One request from a process that first enters the control group named, or with "-" none; prints the status.
caller = """
import contextlib, os, socket, sys
group, path, target = sys.argv[1:]
if group != "-":
    open(group + "/cgroup.procs", "w").write(str(os.getpid()))
connection = socket.socket(socket.AF_UNIX)
connection.connect(path)
answer = b""
with contextlib.suppress(ConnectionError):  # who is refused at once may not be heard out
    connection.sendall(f"GET {target} HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n".encode())
with contextlib.suppress(ConnectionError):
    while piece := connection.recv(65536):
        answer += piece
print(answer.split(b" ")[1].decode())
"""


def hierarchy():
    """Where units' groups are looked for: systemd's own hierarchy of v1, else the unified one."""
    for path in ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
        if (Path(path) / "cgroup.procs").exists() and os.access(path, os.W_OK):
            return Path(path)
    return None


@pytest.fixture
def in_unit():
    """in_unit(daemon, group, target): the status that a process in the control group `group` gets."""
    root = hierarchy()
    if root is None:
        pytest.skip("no hierarchy of control groups can be written here")
    top = root / f"grantd_test_{os.getpid()}.slice"
    made = []

    def call(daemon, group, target="/v1/tokens/a"):
        directory = top / group
        directory.mkdir(parents=True, exist_ok=True)
        made.append(directory)
        command = [sys.executable, "-c", caller, str(directory), str(daemon.socket), target]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()

    yield call
    for directory in made:
        while directory != root:
            with contextlib.suppress(OSError):
                directory.rmdir()
            directory = directory.parent


def serve(start_daemon, server, *units, **more):
    return start_daemon({"clients": {"a": client(server, allow_units=list(units))}} | more)


def test_a_process_of_the_unit_gets_a_token_and_others_do_not(start_daemon, authorization_server, in_unit):
    daemon = serve(start_daemon, authorization_server, "billing.service", "worker@.service")
    assert in_unit(daemon, "billing.service") == "200"
    assert in_unit(daemon, "billing.service/child") == "200"
    assert in_unit(daemon, "worker@7.service") == "200"
    assert in_unit(daemon, "other.service") == "403"
    assert in_unit(daemon, "billing.scope") == "403"
    assert_problem(daemon.get_token("a"), "access_denied", client="a")
    assert until(lambda: any("unit=other.service" in line for line in daemon.events("access_denied")))


def test_a_name_that_a_user_or_a_container_chose_is_no_unit(start_daemon, authorization_server, in_unit):
    daemon = serve(start_daemon, authorization_server, "billing.service")
    assert in_unit(daemon, "user-1000.slice/user@1000.service/app.slice/billing.service") == "403"
    assert in_unit(daemon, "systemd-nspawn@x.service/payload/system.slice/billing.service") == "403"
    assert in_unit(daemon, "docker/billing.service") == "403"


def test_an_api_and_its_client_both_ask_for_the_unit(start_daemon, authorization_server, api_server, in_unit):
    daemon = serve(start_daemon, authorization_server, "billing.service", "web.service",
                   apis={"x": api(api_server, "a", allow_units=["billing.service"])})
    assert in_unit(daemon, "billing.service", "/v1/proxy/x/") == "200"
    assert in_unit(daemon, "web.service", "/v1/proxy/x/") == "403"
    assert api_server.count == 1


def test_a_daemon_short_of_descriptors_serves_a_process_as_what_it_is_or_not_at_all(start_daemon, authorization_server, in_unit):
    daemon = start_daemon({"clients": {"a": client(authorization_server, allow_units=["billing.service"]),
                                       "anybody": client(authorization_server)}},
                          wrapper=["prlimit", "--nofile=64:64"])
    assert in_unit(daemon, "billing.service") == "200"
    held, statuses = [], []
    while not statuses or statuses[-1] != "503":
        held.append(daemon.connect())
        assert len(held) < 64
        if held[-1].request("GET", "/v1/tokens/anybody").status == 503:
            break
        statuses.append(in_unit(daemon, "billing.service"))
    assert set(statuses) <= {"200", "503"} and len(statuses) > 20
    for connection in held:
        connection.close()
    assert until(lambda: in_unit(daemon, "billing.service") == "200")


# Connects, hands the connection to a child and ends at once; the child's number is not the one that connected.
leaving = """
import os, socket, sys
group, path = sys.argv[1:]
open(group + "/cgroup.procs", "w").write(str(os.getpid()))
connection = socket.socket(socket.AF_UNIX)
connection.connect(path)
if os.fork():
    os._exit(0)
open(ROOT + "/cgroup.procs", "w").write(str(os.getpid()))
connection.sendall(b"GET /v1/tokens/a HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
answer = b""
while piece := connection.recv(65536):
    answer += piece
print(answer.split(b" ")[1].decode())
"""


def test_a_process_that_ended_before_it_was_accepted_has_no_unit(start_daemon, authorization_server, in_unit):
    daemon = serve(start_daemon, authorization_server, "billing.service")
    assert in_unit(daemon, "billing.service") == "200"
    root = hierarchy()
    group = root / f"grantd_test_{os.getpid()}.slice" / "billing.service"
    daemon.signal(signal.SIGSTOP)
    try:
        program = leaving.replace("ROOT", repr(str(root)))
        first = subprocess.Popen([sys.executable, "-c", program, str(group), str(daemon.socket)], stdout=subprocess.PIPE,
                                 text=True)
        first.wait(30)
    finally:
        daemon.signal(signal.SIGCONT)
    assert first.stdout.read().strip() == "403"
    first.stdout.close()
