"""What a page is, who may do what with it, and when it ends; with the real daemon and readers in other processes."""

import os
import re
import signal
import struct
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import authorization_server as answers
import token_page
from grantd import client, is_sanitized, until
from service_manager import Service
from token_page import CLOSED, OPEN, document, layout, text_offset

alice = 64001


@pytest.fixture
def pages():
    """Asks for pages, and closes them after the test."""
    asked = []

    def ask(daemon, name, query="", wishes=None, **options):
        asked.append(token_page.ask(daemon.socket, name, query, wishes, **options))
        return asked[-1]

    yield ask
    for page in asked:
        page.close()


def test_a_page_holds_what_the_token_route_gives(start_daemon, authorization_server, pages):
    daemon = start_daemon({"clients": {"a": client(authorization_server, scope="read write")}})
    page = pages(daemon, "a")
    token = daemon.get_token("a").json()
    assert page.status == 200 and page.state == OPEN
    assert page.parts() == ("Bearer", token["access_token"], token["scope"], token["version"])
    assert "access_token" not in page.document
    assert {key: page.document[key] for key in ("token_type", "scope", "client", "version", "expires_at")} == \
        {key: token[key] for key in ("token_type", "scope", "client", "version", "expires_at")}
    assert abs(page.document["boottime_ms"] - token_page.boottime_ms()) < 5000
    left = page.expires / 1e9 - time.clock_gettime(time.CLOCK_BOOTTIME)
    assert token["expires_in"] - 1 < left <= token["expires_in"] + 1
    assert page.min_valid == 10_000_000_000
    assert abs(page.expires_at / 1e9 - time.time() - left) < 5
    assert authorization_server.count == 1


def test_the_document_has_the_layout_of_the_program():
    header = (Path(__file__).parents[2] / "common/token_page.hpp").read_text()
    asserted = dict(re.findall(r"offsetof\(Head, (\w+)\) ==\s+(\d+)", header))
    sizes = int(asserted.pop("sizes"))
    assert {name: int(offset) for name, offset in asserted.items()} == \
        {name: offset for name, (offset, _, _) in layout.items() if name != "magic" and offset < sizes}
    members = re.findall(r"std::uint32_t (\w+);", re.search(r"struct Sizes \{(.*?)\};", header, re.S)[1])
    assert {f"{name}_size": sizes + 4 * index for index, name in enumerate(members)} == \
        {name: offset for name, (offset, _, _) in layout.items() if offset >= sizes}
    ends = [offset + size for offset, size, _ in layout.values()]
    assert [offset for offset, _, _ in layout.values()] == [0, *ends[:-1]]
    assert f"sizeof(Head) == {text_offset}" in header and ends[-1] == text_offset
    longest = {name: f"{int(number):,}" for name, number in re.findall(r"(longest_\w+) = (\d+);", header)}
    assert all(number in document for number in longest.values())


def test_a_dpop_token_has_a_page_that_says_so(start_daemon, authorization_server, pages):
    authorization_server.script_always(answers.token(token_type="DPoP"))
    daemon = start_daemon({"clients": {"a": client(authorization_server, dpop=True)}})
    assert pages(daemon, "a").parts()[0] == "DPoP"


def test_one_page_serves_all_readers_of_a_token_and_another_one_each_variant(start_daemon, authorization_server, pages):
    daemon = start_daemon({"clients": {"a": client(authorization_server, allow_overrides=["audience", "parameters"])}})
    first, second = pages(daemon, "a"), pages(daemon, "a")
    assert os.fstat(first.descriptor).st_ino == os.fstat(second.descriptor).st_ino
    other = pages(daemon, "a", "audience=x")
    assert other.token == daemon.get_token("a", "audience=x").token != first.token
    by_post = pages(daemon, "a", wishes={"audience": "x"})
    assert os.fstat(by_post.descriptor).st_ino == os.fstat(other.descriptor).st_ino
    with_parameters = pages(daemon, "a", wishes={"parameters": {"k": "v"}})
    assert with_parameters.token not in (first.token, other.token)


def test_who_may_not_have_the_token_has_no_page(start_daemon, authorization_server, pages):
    daemon = start_daemon({"daemon": {"socket_mode": "0666"},
                           "clients": {"hidden": client(authorization_server, expose_token=False),
                                       "closed": client(authorization_server, allow_users=["root"])}})
    for name in ("hidden", "closed"):
        refused = pages(daemon, name, uid=alice)
        assert refused.status == 403 and refused.document["code"] == "access_denied" and refused.descriptor is None
    assert pages(daemon, "nobody").document["code"] == "unknown_client"
    assert daemon.request("DELETE", "/v1/tokens/closed/page").code == "method_not_allowed"


def test_a_token_that_is_not_kept_comes_with_the_answer_instead(start_daemon, authorization_server, pages):
    daemon = start_daemon({"clients": {"a": client(authorization_server, allow_overrides=["assertion"])}})
    alone = pages(daemon, "a", wishes={"assertion": "a.ready.one"})
    assert alone.descriptor is None and alone.document["access_token"]
    authorization_server.otherwise = answers.token(expires_in=0)
    gone = pages(daemon, "a")
    assert gone.descriptor is None and gone.document["access_token"]


def test_an_eviction_closes_the_page_at_once_and_wipes_it(start_daemon, authorization_server, pages):
    daemon = start_daemon({"clients": {"a": client(authorization_server), "b": client(authorization_server)}})
    page, other = pages(daemon, "a"), pages(daemon, "b")
    daemon.delete_token("a")
    assert page.state == CLOSED and page.wiped() and page.parts() is None
    assert other.state == OPEN
    assert pages(daemon, "a").state == OPEN


@pytest.mark.parametrize("why", ["force_renewal", "rejected"])
def test_a_renewal_closes_the_page_once_the_replacement_is_there(start_daemon, authorization_server, pages, gate, why):
    daemon = start_daemon({"clients": {"a": client(authorization_server)}})
    page = pages(daemon, "a")
    authorization_server.otherwise = answers.gated(gate, answers.token())
    wishes = {"force_renewal": True} if why == "force_renewal" else {"rejected": page.document["version"]}
    with daemon.connect() as connection:
        import json
        body = json.dumps(wishes).encode()
        connection.send_request("POST", "/v1/tokens/a", [("Content-Type", "application/json")], body)
        until(lambda: authorization_server.count == 2)
        assert page.state == OPEN
        gate.set()
        renewed = connection.read_response().token
    assert page.state == CLOSED and page.wiped()
    assert pages(daemon, "a").token == renewed


def test_a_renewal_that_fails_leaves_the_page(start_daemon, authorization_server, pages):
    daemon = start_daemon({"clients": {"a": client(authorization_server)}})
    page = pages(daemon, "a")
    authorization_server.otherwise = answers.oauth_error("invalid_scope")
    assert daemon.post_token("a", force_renewal=True).status == 502
    assert page.state == OPEN


def test_the_same_token_again_keeps_the_page(start_daemon, authorization_server, pages):
    authorization_server.otherwise = answers.token(access_token=answers.new_token())
    daemon = start_daemon({"clients": {"a": client(authorization_server)}})
    page = pages(daemon, "a")
    daemon.post_token("a", force_renewal=True)
    assert authorization_server.count == 2 and page.state == OPEN


def test_a_page_that_was_asked_for_is_used_so_its_token_is_renewed_before_it_ends(start_daemon, authorization_server, pages):
    authorization_server.otherwise = answers.token(expires_in=4)
    daemon = start_daemon({"clients": {"a": client(authorization_server)}})
    page = pages(daemon, "a")
    until(lambda: page.state == CLOSED)
    assert time.clock_gettime_ns(time.CLOCK_BOOTTIME) < page.expires
    assert authorization_server.count == 2
    pages(daemon, "a")
    assert authorization_server.count == 2


def test_a_token_that_nobody_asks_for_again_lapses_with_its_page(start_daemon, authorization_server, pages):
    authorization_server.otherwise = answers.token(expires_in=2)
    daemon = start_daemon({"clients": {"a": client(authorization_server)}})
    first = pages(daemon, "a")
    until(lambda: first.state == CLOSED)
    until(lambda: daemon.clients()["a"]["state"] == "idle")
    assert authorization_server.count == 2


@pytest.mark.parametrize("change", [{"allow_users": ["64002"]}, {"expose_token": False}, {"scope": "narrower"}, None])
def test_a_reload_that_withdraws_a_permission_closes_pages(start_daemon, authorization_server, pages, change):
    kept, definition = client(authorization_server), client(authorization_server)
    daemon = start_daemon({"daemon": {"socket_mode": "0666"}, "clients": {"a": definition, "b": kept}})
    page, other = pages(daemon, "a", uid=alice), pages(daemon, "b", uid=alice)
    changed = {"a": definition | change} if change is not None else {}
    daemon.configure({"daemon": {"socket_mode": "0666"}, "clients": {"b": kept, **changed}})
    assert daemon.reload().status == 204
    assert page.state == CLOSED and page.wiped()
    assert other.state == OPEN


def test_a_reload_that_changes_nothing_about_it_keeps_the_page(start_daemon, authorization_server, pages):
    definition = client(authorization_server)
    daemon = start_daemon({"clients": {"a": definition}})
    page = pages(daemon, "a")
    daemon.configure({"clients": {"a": definition | {"refresh_before_expiry": "30s"}}})
    assert daemon.reload().status == 204
    assert page.state == OPEN


# As another user with a page's descriptor: every way in is tried, and what succeeded is printed.
intruder = textwrap.dedent("""
    import ctypes, mmap, os, sys
    fd = int(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    readable = libc.mmap(None, 4096, 1, 1, fd, 0)
    assert readable not in (None, ctypes.c_void_p(-1).value)
    def raises(attempt):
        try:
            attempt()
        except OSError:
            return True
    ways = {
        "write": lambda: os.write(fd, b"x"),
        "pwrite": lambda: os.pwrite(fd, b"x", 64),
        "truncate": lambda: os.ftruncate(fd, 0),
        "grow": lambda: os.ftruncate(fd, 1 << 20),
        "allocate": lambda: os.posix_fallocate(fd, 0, 1 << 20),
        "chmod": lambda: os.fchmod(fd, 0o666),
        "chown": lambda: os.fchown(fd, os.getuid(), -1),
        "reopen": lambda: os.open(f"/proc/self/fd/{fd}", os.O_RDWR),
        "reopen for writing": lambda: os.open(f"/proc/self/fd/{fd}", os.O_WRONLY),
    }
    succeeded = [name for name, attempt in ways.items() if not raises(attempt)]
    if libc.mmap(None, 4096, 3, 1, fd, 0) != ctypes.c_void_p(-1).value:
        succeeded.append("map for writing")
    if libc.mprotect(readable, 4096, 3) == 0:
        succeeded.append("mprotect")
    F_ADD_SEALS = 1033
    if libc.fcntl(fd, F_ADD_SEALS, 8) == 0:
        succeeded.append("seal")
    print(",".join(succeeded) or "nothing")
""")


def test_another_user_can_do_nothing_with_a_page_but_read(start_daemon, authorization_server, pages):
    daemon = start_daemon({"daemon": {"socket_mode": "0666"}, "clients": {"a": client(authorization_server)}})
    page = pages(daemon, "a", uid=alice)
    done = subprocess.run(["setpriv", "--reuid", str(alice), "--regid", str(alice), "--clear-groups",
                           sys.executable, "-c", intruder, str(page.descriptor)],
                          pass_fds=[page.descriptor], capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == "nothing", done.stderr
    assert page.state == OPEN and page.token == daemon.get_token("a").token


# What outlives the process.


@pytest.fixture
def service(make_daemon):
    services = []

    def make(configuration, **environment):
        services.append(Service(make_daemon(configuration), **environment))
        return services[-1]

    yield make
    for one in services:
        one.manager.close()


def page_names(service):
    service.manager.take_waiting()
    return sorted(name for name, _ in service.manager.held if name.startswith("page-"))


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_page_outlives_the_daemon_and_the_next_one_closes_it(service, authorization_server, pages, how):
    serving = service({"clients": {"a": client(authorization_server), "b": client(authorization_server)}}).start()
    page, other = pages(serving.daemon, "a"), pages(serving.daemon, "b")
    assert len(page_names(serving)) == 2
    serving.end(how)
    assert page.state == OPEN
    serving.again()
    assert page.state == OPEN and page.token == serving.daemon.get_token("a").token
    assert os.fstat(pages(serving.daemon, "a").descriptor).st_ino == os.fstat(page.descriptor).st_ino
    serving.daemon.delete_token("a")
    assert page.state == CLOSED and page.wiped() and other.state == OPEN
    assert len(page_names(serving)) == 1
    assert authorization_server.count == 2


@pytest.mark.parametrize("change", [{"allow_users": ["64002"]}, {"client_id": "another"}, None])
def test_a_page_whose_rules_or_definition_changed_is_closed_at_the_next_start(service, authorization_server, pages, change):
    kept, definition = client(authorization_server), client(authorization_server)
    serving = service({"clients": {"a": definition, "b": kept}}).start()
    page, other = pages(serving.daemon, "a"), pages(serving.daemon, "b")
    serving.end(signal.SIGKILL)
    changed = {"a": definition | change} if change is not None else {}
    serving.daemon.configure({"clients": {"b": kept, **changed}})
    serving.again()
    assert page.state == CLOSED and page.wiped() and other.state == OPEN
    assert len(page_names(serving)) == 1


def test_a_page_that_cannot_be_held_is_not_given_away(service, authorization_server, pages):
    clients = {f"c{number}": client(authorization_server) for number in range(8)}
    serving = service({"clients": clients}, store_size=7).start()
    given = [pages(serving.daemon, name) for name in clients]
    assert [page.descriptor is not None for page in given] == [True] * 6 + [False] * 2
    assert all(page.document.get("access_token") for page in given[6:])
    assert len(page_names(serving)) == 6
    serving.daemon.delete_token("c0")
    assert pages(serving.daemon, "c7").descriptor is not None
    assert serving.daemon.metric("grantd_pages_passed_total") == 7
    assert serving.daemon.metric("grantd_pages_withheld_total", reason="not_held") == 2


@pytest.mark.parametrize("size, told", [(0, 0), (1, 1), (4096, None), (4096, "many")])
def test_where_nobody_said_that_pages_are_held_none_is_given_away(service, authorization_server, pages, size, told):
    serving = service({"clients": {"a": client(authorization_server)}}, store_size=size, told_size=told).start()
    answer = pages(serving.daemon, "a")
    assert answer.descriptor is None and answer.document["access_token"]
    assert page_names(serving) == []
    before = serving.daemon.get_token("a").token
    serving.restart(signal.SIGKILL)
    assert (serving.daemon.get_token("a").token == before) == (size > 0)


def test_a_page_that_cannot_be_closed_any_more_is_logged(service, authorization_server, pages):
    serving = service({"clients": {"a": client(authorization_server)}}, store_size=1, told_size=2).start()
    assert pages(serving.daemon, "a").descriptor is not None
    serving.restart(signal.SIGKILL)
    [line] = until(lambda: serving.daemon.events("stored_page_missing"))
    assert "client=a" in line and "FileDescriptorStoreMax" in line


def test_a_page_that_was_left_half_closed_is_not_given_away_again(service, authorization_server, pages):
    serving = service({"clients": {"a": client(authorization_server)}}).start()
    page = pages(serving.daemon, "a")
    serving.end(signal.SIGKILL)
    [held] = [descriptor for name, descriptor in serving.manager.held if name.startswith("page-")]
    os.pwrite(held, struct.pack("=I", CLOSED), 12)
    serving.again()
    assert page.wiped()
    assert pages(serving.daemon, "a").state == OPEN
    assert serving.daemon.get_token("a").token == pages(serving.daemon, "a").token
    assert authorization_server.count == 1


def test_pages_leave_no_descriptor_and_no_memory_behind(start_daemon, authorization_server, pages):
    daemon = start_daemon({"clients": {"a": client(authorization_server, max_provoked_requests=10000)}})

    def renew(times):
        for _ in range(times):
            token_page.ask(daemon.socket, "a", wishes={"force_renewal": True}).close()

    renew(500)
    descriptors = lambda: len(list(Path(f"/proc/{daemon.process.pid}/fd").iterdir()))  # noqa: E731
    before = daemon.memory(), descriptors()
    times = 1500
    renew(times)
    until(lambda: descriptors() <= before[1])
    if not is_sanitized():
        # Of a page or a descriptor something would be left each time, of a page at least 4 KiB.
        assert daemon.memory() - before[0] < times * 2048
