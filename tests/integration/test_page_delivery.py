"""Callers who do not take what they asked for, and a kernel that passes no descriptors: others get their pages, or at least
their tokens, all the same. The daemon runs as a user of its own, since root has no limit of descriptors under way."""

import contextlib
import os
import resource
import subprocess
import sys

import pytest

import token_page
from grantd import client, until
from service_manager import Service

pytestmark = pytest.mark.root

alice, mallory = 64001, 64002
daemons_user = 100000 + os.getpid()  # what is under way is counted by user, whoever else runs these tests
most_descriptors = 512


def as_user(uid):
    return ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups"]


@pytest.fixture
def make_limited(make_daemon, authorization_server):
    """A daemon that may have as many descriptors open, and hence under way."""

    def make(**settings):
        daemon = make_daemon({"daemon": {"socket_mode": "0666", **settings},
                              "clients": {"hers": client(authorization_server, allow_users=[str(alice)]),
                                          "his": client(authorization_server, allow_users=[str(mallory)])}})
        daemon.directory.chmod(0o777)
        os.chown(daemon.config, daemons_user, daemons_user)
        daemon.wrapper = ["prlimit", f"--nofile={most_descriptors}", *as_user(daemons_user)]
        return daemon

    return make


def page_of(daemon, name="hers", uid=alice):
    """Whether there was one; where not, there was the token."""
    page = token_page.ask(daemon.socket, name, uid=uid)
    assert page.status == 200
    page.close()
    assert page.descriptor is not None or page.document["access_token"]
    return page.descriptor is not None


@contextlib.contextmanager
def running(uid, program, *arguments):
    """Until the block ends, a program that has said what it has done."""
    with subprocess.Popen([*as_user(uid), sys.executable, "-c", program, *map(str, arguments)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.readline().strip()
        assert said, "the program failed"
        yield said
        process.stdin.close()


# Asks for pages and reads no answer: as many connections, as many requests on each.
not_reading = """
import contextlib, resource, socket, sys
path, connections, requests, last_lines = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
request = f"GET /v1/tokens/his/page HTTP/1.1\\r\\nHost: localhost\\r\\n{last_lines}\\r\\n"
held = []
for _ in range(connections):
    one = socket.socket(socket.AF_UNIX)
    one.connect(path)
    held.append(one)
    with contextlib.suppress(OSError):  # one too many, and closed already
        one.sendall(request.encode() * requests)
        if last_lines:
            one.recv(1, socket.MSG_PEEK)
print("sent", flush=True)
sys.stdin.read()
"""


def test_requests_whose_answers_are_not_read_keep_nobody_from_pages(make_limited):
    daemon = make_limited().start()
    with running(mallory, not_reading, daemon.socket, 50, 50, ""):
        until(lambda: daemon.metric("grantd_pages_withheld_total", reason="unread") == 50 * 49)
        assert page_of(daemon)
    assert page_of(daemon, "his", mallory)
    assert not daemon.events("page_refused")


def test_neither_do_connections_that_are_closed_with_a_page_unread(make_limited):
    daemon = make_limited(max_connections_per_user=100).start()
    with running(mallory, not_reading, daemon.socket, 2 * most_descriptors, 1, "Connection: close\r\n"):
        assert page_of(daemon)
        until(lambda: daemon.metric("grantd_connections") == 100 + 1)  # the one that asks
        assert daemon.metric("grantd_connections_refused_total") > 0
    until(lambda: daemon.metric("grantd_connections") == 1)
    assert page_of(daemon, "his", mallory)
    assert not daemon.events("page_refused")


# Uses up what this user may have under way.
using_up = """
import errno, os, socket, sys
limit, held = int(sys.argv[1]), []
for _ in range(limit // 100 + 2):
    held.append(socket.socketpair())
    for _ in range(100):
        socket.send_fds(held[-1][0], [b"x"], [0])
print("sent", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def used_up():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard <= 2 * most_descriptors:
        pytest.skip(f"only {hard} descriptors may be open here")
    return lambda: running(daemons_user, using_up, most_descriptors)


def test_where_the_kernel_passes_no_descriptor_the_caller_gets_the_token(make_limited, used_up):
    daemon = make_limited().start()
    assert page_of(daemon)
    with used_up():
        assert not page_of(daemon)
        assert not page_of(daemon)
        assert len(until(lambda: daemon.events("page_refused"))) == 1
        assert daemon.metric("grantd_pages_withheld_total", reason="refused") == 2
        assert daemon.metric("grantd_pages_passed_total") == 1
    until(lambda: page_of(daemon))


def test_what_the_manager_could_not_be_given_to_hold_it_gets_later_and_no_page_is_passed_before(make_limited, used_up):
    serving = Service(make_limited())
    serving.manager.path.chmod(0o666)
    try:
        with used_up():
            serving.start()
            assert not page_of(serving.daemon)
            assert serving.manager.held == []
        until(lambda: [name for name, _ in serving.manager.held] == ["tokens"])
        assert page_of(serving.daemon)
        until(lambda: len(serving.manager.held) == 2)
    finally:
        serving.manager.close()
