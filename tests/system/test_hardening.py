"""What the running service could do if it were not the daemon it is."""

import re

import pytest

from grantd import client


@pytest.fixture
def running(service, machine, authorization_server):
    service.configure(clients={"a": client(authorization_server)})
    assert machine.ask_token("a", user="alice").status == 200
    return service


def test_the_exposure_is_at_most_1_5(running, machine):
    judged = machine.run("systemd-analyze", "security", "--no-pager", "grantd.service", shown=False).stdout
    remaining = [line for line in judged.splitlines() if line.startswith("\N{BALLOT X}")]
    [overall] = re.findall(r"Overall exposure level for grantd.service: .*", judged)
    machine.say("root# systemd-analyze security grantd.service\n" + "\n".join(f"  {line}" for line in [*remaining, overall]))
    assert float(re.search(r": ([0-9.]+)", overall)[1]) <= 1.5


def test_it_is_its_own_user_without_any_capability(running, machine):
    status = running.status_of_process()
    shown = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
    machine.say("/proc/PID/status of grantd:\n" + "\n".join(f"  {name}: {status[name]}" for name in shown))
    uid, gid = (machine.run("id", option, "grantd", shown=False).stdout.strip() for option in ("--user", "--group"))
    assert uid != "0" and set(status["Uid"].split()) == {uid} and set(status["Gid"].split()) == {gid}
    assert set(status["Groups"].split()) <= {gid}
    assert {int(status[name], 16) for name in shown if name.startswith("Cap")} == {0}
    filtered = "2"
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", filtered)


def test_there_is_no_path_that_it_can_write(running):
    # Asked of the kernel, which knows of read-only mounts; what is below /proc and /dev is devices and the process itself.
    found = running.run_inside("find / -path /proc -prune -o \\( -type f -o -type d -o -type p \\) -writable -print 2>/dev/null")
    assert found.stdout.split() == []
    for folder in ("/", "/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run", "/run/grantd", "/etc/grantd", "/var/lib"):
        tried = running.run_inside(f"touch {folder}/x")
        assert tried.returncode != 0 and re.search("Read-only file system|Permission denied", tried.stderr), folder


def test_memory_and_files_have_the_limits_of_the_unit(running, machine):
    properties = running.properties("MemorySwapMax", "LimitCORE", "User", "Group", "Restart", "RestartPreventExitStatus",
                                    "WatchdogUSec")
    assert properties["MemorySwapMax"] == "0" and properties["LimitCORE"] == "0"
    assert (properties["User"], properties["Group"]) == ("grantd", "grantd")
    assert properties["Restart"] == "on-failure" and properties["RestartPreventExitStatus"] == "78"
    limit = machine.path("/sys/fs/cgroup/system.slice/grantd.service/memory.swap.max")
    if limit.exists():
        assert limit.read_text().strip() == "0"


def test_the_configuration_is_its_to_read_and_nobody_elses(running, machine):
    assert running.run_inside("head -c 1 /etc/grantd/grantd.toml >/dev/null").returncode == 0
    assert machine.run("head", "-c", "1", "/etc/grantd/grantd.toml", user="alice", check=False).returncode != 0
