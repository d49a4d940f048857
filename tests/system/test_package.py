"""The packages on a machine of their own: installing gives a running socket, and purging leaves nothing."""

import re

import pytest

from grantd import client
from service import install_grantd, socket_file

# What apt, dpkg, useradd and systemd remember by themselves.
not_ours = re.compile(r"/(proc|sys|dev|tmp|packages)(/|$)|/run/(systemd|log|user|udev|lock|utmp|mount|host)(/|$)|/home(/|$)|"
                      r"/var/(log|cache|lib/(dpkg|apt|systemd)|mail|tmp|spool)(/|$)|"
                      r"/etc/(\.pwd\.lock|(passwd|group|shadow|gshadow|subuid|subgid)-?|ld\.so\.cache)$")


def files(machine):
    found = machine.run("find", "/", "(", "-path", "/proc", "-o", "-path", "/sys", ")", "-prune", "-o", "-print",
                        shown=False).stdout.splitlines()
    return {path for path in found if not not_ours.match(path)}


@pytest.fixture(scope="module")
def before(bare_machine):
    return files(bare_machine)


@pytest.fixture(scope="module")
def installed(bare_machine, before):
    return install_grantd(bare_machine)


def test_installing_gives_a_socket_that_listens_and_a_service_that_waits(installed, bare_machine, before):
    shown = bare_machine.run("systemctl", "list-units", "--all", "--no-legend", "--plain", "grantd*").stdout
    assert re.search(r"^grantd\.socket +loaded +active +listening", shown, re.M)
    assert bare_machine.run("systemctl", "is-enabled", "grantd.socket").stdout.strip() == "enabled"
    assert installed.state == "inactive"
    assert bare_machine.path(socket_file).is_socket()
    assert files(bare_machine) - before
    assert bare_machine.run("systemctl", "is-system-running").stdout.strip() == "running"


def test_the_first_token_needs_nothing_but_a_definition(installed, bare_machine, make_server):
    server = make_server(bare_machine)
    installed.configure(clients={"a": client(server)})
    assert bare_machine.run("grantctl", "token", "a", user="alice").stdout.startswith("at-")
    assert "a " in bare_machine.run("grantctl", "status", user="alice").stdout


def test_purging_leaves_nothing(installed, bare_machine, before):
    bare_machine.write("/etc/grantd/conf.d/more.toml", "", mode=0o640)
    # Not even of a failure a moment ago, after which callers wait.
    installed.write_configuration("wrong = 1\n")
    installed.systemctl("restart", check=False)
    caller = bare_machine.ask_and_wait("/v1/tokens/a", user="alice")
    listed = bare_machine.run("dpkg", "--listfiles", "grantd", "libgrantd1", "libgrantd-dev", shown=False).stdout.splitlines()
    bare_machine.run("apt-get", "purge", "--quiet=2", "--option=Dpkg::Use-Pty=0", "--yes", "grantd", "libgrantd1", "libgrantd-dev")
    assert caller().status == 0
    left = files(bare_machine) - before
    bare_machine.say(f"files of the packages before: {len(set(listed) - before)}; left: {sorted(left)}")
    assert left == set()
    for kind, name in (("passwd", "grantd"), ("group", "grantd"), ("group", "grantd-clients")):
        not_found = 2
        assert bare_machine.run("getent", kind, name, check=False).returncode == not_found
    units = bare_machine.run("systemctl", "list-units", "--all", "--no-legend", "grantd*").stdout
    assert units + bare_machine.run("systemctl", "list-unit-files", "--no-legend", "grantd*", check=False).stdout == ""
    assert bare_machine.run("sh", "-c", "pgrep -x grantd || ! ls /proc/*/exe -l 2>/dev/null | grep grantd").stdout == ""
