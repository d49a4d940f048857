"""Fixtures of the system tests: machines with grantd installed, and authorization servers in their network."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

tests = Path(__file__).parents[1]
sys.path[:0] = [str(Path(__file__).parent), str(tests / "fakes"), str(tests / "integration")]

import bare_root  # noqa: E402
import prerequisites  # noqa: E402
from authorization_server import AuthorizationServer  # noqa: E402
from machine import Machine, Transcript  # noqa: E402
from service import install_grantd  # noqa: E402

# The release of systemd that refuses to boot with hierarchies of version 1.
without_version_1 = 256


def pytest_collection_modifyitems(items):
    if reason := prerequisites.reason_against():
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    machine = getattr(item.funcargs.get("service"), "machine", None)
    if report.failed and machine:
        journal = machine.run("journalctl", "--no-pager", "--lines=25", "--output=short-monotonic", "--unit=grantd.service",
                              check=False, shown=False)
        report.sections.append(("the machine's journal", journal.stdout))


@pytest.fixture(scope="session")
def transcript():
    made = Transcript(bare_root.folder / "transcript.txt")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _title(request, transcript):
    transcript.write(f"\n== {request.node.name}")


@contextlib.contextmanager
def booted(transcript, hierarchy):
    """A bare machine, which the block ends."""
    try:
        root = bare_root.make()
        systemd = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show", "--showformat=${Version}", "systemd"]
        version = subprocess.run(systemd, capture_output=True, text=True, check=True).stdout
        if hierarchy != "unified" and int(version.split(".")[0]) >= without_version_1:
            pytest.skip(f"systemd {version} boots with version 2 of control groups alone")
        machine = Machine(transcript, hierarchy)
    except bare_root.Unavailable as error:
        pytest.skip(str(error))
    yield machine
    machine.end()


usual_hierarchy, *other_hierarchies = prerequisites.hierarchies() or ["unified"]


@pytest.fixture(scope="session")
def bare_machine(transcript):
    """For tests that install grantd themselves."""
    with booted(transcript, usual_hierarchy) as machine:
        yield machine


@pytest.fixture(scope="session")
def shared_service(transcript):
    with booted(transcript, usual_hierarchy) as machine:
        yield install_grantd(machine)


@pytest.fixture(scope="session", params=[usual_hierarchy, *other_hierarchies])
def service_of_hierarchy(request, transcript):
    """grantd on a machine with each hierarchy of control groups."""
    if request.param == usual_hierarchy:
        yield request.getfixturevalue("shared_service")
        return
    with booted(transcript, request.param) as machine:
        yield install_grantd(machine)


@pytest.fixture
def service(shared_service):
    """grantd on the usual machine, with nothing configured and stopped, but its socket listening."""
    yield shared_service
    shared_service.reset()


@pytest.fixture
def machine(service):
    return service.machine


@pytest.fixture
def make_server():
    """make_server(machine): an authorization server in its network."""
    servers = []

    def make(machine):
        with machine.network():
            servers.append(AuthorizationServer())
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def authorization_server(make_server, machine):
    return make_server(machine)
