"""Who is asking, in the units that a real systemd makes, with each hierarchy of control groups that this machine allows."""

import signal

import pytest

from authorization_server import AuthorizationServer
from grantd import client
from local_http import Connection
from machine import curl
from problems import assert_problem
from programs_inside import leaving_callers, process_with_number, subordinate_caller
from service import socket_file

# Shows the groups of the process that becomes curl.
showing_groups = ["sh", "-c", 'grep -E "^(0:|[0-9]+:name=systemd):" /proc/self/cgroup >&2; exec "$@"', "sh"]

# Makes a group "billing.service" within the group that systemd delegated to this process, in every hierarchy, and enters it.
in_own_subgroup = ["sh", "-c", """
entered=
while IFS=: read -r number controllers path; do
  case $number:$controllers in
    0:) tops="/sys/fs/cgroup /sys/fs/cgroup/unified" ;;
    *:name=systemd) tops=/sys/fs/cgroup/systemd ;;
    *) continue ;;
  esac
  for top in $tops; do
    if [ -e "$top$path/cgroup.procs" ] && mkdir -p "$top$path/system.slice/billing.service" &&
        echo 0 >"$top$path/system.slice/billing.service/cgroup.procs"; then entered=yes; fi
  done
done </proc/self/cgroup
[ -n "$entered" ] && exec "$@"
""", "sh"]

# As the kernel starts containers: with a process 1, users and a root of control groups of their own. Within a machine whose /proc
# has covered parts the kernel gives them no /proc of their own; who they are does not hang on that.
in_container = ["unshare", "--user", "--map-root-user", "--cgroup", "--mount", "--pid", "--fork", "sh", "-c",
                'mount -t proc proc /proc 2>/dev/null; exec "$@"', "sh"]


@pytest.fixture(scope="module")
def serving(service_of_hierarchy):
    """grantd with definitions that name who may use them."""
    service = service_of_hierarchy
    with service.machine.network():
        server = AuthorizationServer()
    service.configure(clients={
        "billing": client(server, allow_units=["billing.service"]),
        "every-worker": client(server, allow_units=["worker@.service"]),
        "alice-alone": client(server, allow_users=["alice"]),
        "root-alone": client(server, allow_users=["root"]),
        "group": client(server, allow_groups=["grantd-clients"]),
    })
    # A kernel that cannot pin processes leaves those that connected before the start without a unit.
    service.systemctl("start")
    yield service
    service.reset()
    server.close()


@pytest.fixture
def machine(serving):
    serving.machine.say(f"(control groups: {serving.machine.hierarchy})")
    return serving.machine


def assert_denied(answer, name):
    assert answer.status == 403 and answer.json()["code"] == "access_denied" and answer.json()["client"] == name, answer


def test_a_service_gets_the_token_that_is_for_it_by_its_units_name(machine):
    answer = machine.ask_token("billing", unit="billing.service", user="alice", wrapper=showing_groups)
    assert answer.status == 200 and answer.json()["access_token"]


def test_another_unit_is_refused(machine):
    logged = machine.journal_so_far()
    assert_denied(machine.ask_token("billing", unit="reports.service", user="alice", wrapper=showing_groups), "billing")
    [line] = machine.wait_for_journal("event=access_denied", logged)
    assert "uid=1000" in line and "unit=reports.service" in line and "billing" in line.split("unit=")[0]


def test_a_process_of_no_service_is_refused(machine):
    assert_denied(machine.ask_token("billing", user="alice"), "billing")


def test_another_user_is_refused(machine):
    assert machine.ask_token("alice-alone", unit="x.service", user="alice").status == 200
    assert_denied(machine.ask_token("alice-alone", unit="x.service", user="bob"), "alice-alone")
    assert_denied(machine.ask_token("alice-alone", user="bob"), "alice-alone")
    assert_denied(machine.ask_token("root-alone", user="alice"), "root-alone")


def test_supplementary_groups_count(machine):
    assert machine.ask_token("group", unit="x.service", user="bob").status == 200
    assert_denied(machine.ask_token("group", unit="x.service"), "group")


def test_every_instance_of_a_template_is_meant_by_its_name(machine):
    assert machine.ask_token("every-worker", unit="worker@7.service", user="bob", wrapper=showing_groups).status == 200
    assert machine.ask_token("every-worker", unit=r"worker@a\x2db.service", user="bob").status == 200
    assert_denied(machine.ask_token("every-worker", unit="worker.service", user="bob"), "every-worker")


def test_a_service_of_a_users_own_manager_is_not_the_systems_of_that_name(machine):
    machine.run("systemctl", "start", "user@1000.service")
    command = ["env", "XDG_RUNTIME_DIR=/run/user/1000", "systemd-run", "--user", "--quiet", "--pipe", "--wait", "--collect",
               "--unit=billing", *showing_groups, *curl("/v1/tokens/billing")]
    result = machine.run(*command, user="alice")
    assert "billing.service" in result.stderr and "user@1000.service" in result.stderr
    assert result.stdout.endswith("\n403") and '"access_denied"' in result.stdout


@pytest.mark.parametrize("more", [[], in_container], ids=["group", "container"])
def test_a_group_that_a_unit_makes_of_that_name_is_not_the_service(machine, more):
    answer = machine.ask_token("billing", unit="boxes.service", wrapper=[*in_own_subgroup, *showing_groups, *more],
                               properties=["Delegate=yes", "SupplementaryGroups=grantd-clients"])
    assert_denied(answer, "billing")


def test_a_process_in_another_user_name_space_is_the_user_outside(machine):
    wrapper = ["unshare", "--user", "--map-root-user", "sh", "-c", 'id >&2; exec "$@"', "sh"]
    assert machine.ask_token("alice-alone", unit="x.service", user="alice", wrapper=wrapper).status == 200
    assert machine.ask_token("billing", unit="billing.service", user="alice", wrapper=wrapper).status == 200
    assert_denied(machine.ask_token("root-alone", unit="x.service", user="alice", wrapper=wrapper), "root-alone")
    assert_denied(machine.ask_token("billing", unit="x.service", user="alice", wrapper=wrapper), "billing")


def test_a_members_subordinate_users_are_users_of_their_own_in_the_members_group(machine):
    logged = machine.journal_so_far()
    asked = machine.run("python3", "-c", subordinate_caller, "alice", 100000, 5, "group", "alice-alone", "root-alone")
    assert asked.stdout.split() == ["200", "403", "403"]
    assert "uid=100005" in machine.wait_for_journal("event=token_handed_out client=group", logged)[0]


def test_a_process_in_another_process_name_space_has_the_unit_it_has_outside(machine):
    wrapper = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", 'readlink /proc/self >&2; exec "$@"', "sh"]
    assert machine.ask_token("billing", unit="billing.service", wrapper=wrapper).status == 200
    assert_denied(machine.ask_token("billing", unit="x.service", wrapper=wrapper), "billing")


def test_a_process_outside_of_the_daemons_process_name_space_has_no_unit(machine):
    machine.say("root outside of the machine, through /proc/PID/root: GET /v1/tokens/billing, /v1/tokens/root-alone")
    with Connection(machine.path(socket_file)) as connection:
        assert_problem(connection.request("GET", "/v1/tokens/billing"), "access_denied", client="billing")
        assert connection.request("GET", "/v1/tokens/root-alone").status == 200


def test_a_process_that_ends_at_once_has_its_own_unit_or_none(machine):
    program = ["python3", "-c", leaving_callers, "billing", "40"]
    own = machine.run_in_unit("billing.service", *program, shown=False).stdout.split()
    other = machine.run_in_unit("reports.service", *program, shown=False).stdout.split()
    for unit, statuses in (("billing.service", own), ("reports.service", other)):
        machine.say(f"40 times in {unit}: {statuses.count('200')} times 200, {statuses.count('403')} times 403")
    assert len(own) == len(other) == 40
    assert set(own) <= {"200", "403"} and set(other) == {"403"}


def test_a_unit_is_not_taken_from_the_next_process_with_the_callers_number(machine, serving):
    pid = serving.main_pid
    machine.kill(signal.SIGSTOP, pid)
    try:
        caller = machine.start_in_unit("reports.service", "python3", "-c", leaving_callers, "billing", "1", "tell")
        number = caller.stdout.readline().strip()
        heir = machine.start_in_unit("billing.service", "python3", "-c", process_with_number, number)
        assert heir.stdout.readline().strip() == "running"
        groups = machine.run("cat", f"/proc/{number}/cgroup").stdout
        assert "/billing.service" in groups
    finally:
        machine.kill(signal.SIGCONT, pid)
    answered = caller.communicate(timeout=60)[0].split()
    machine.say(f"the process {number} of reports.service got {' '.join(answered)}")
    assert answered == ["403"]
    assert heir.communicate("", timeout=60) and heir.returncode == 0
