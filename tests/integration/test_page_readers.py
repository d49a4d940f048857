"""What a process sees that gets its tokens through the client library: when it is served out of a page, when it asks, and that
neither a renewal nor a missing daemon makes it wait or gives it a token that is over. The process is tests/programs."""

import json
import os
import re
import signal
import subprocess
import threading

import pytest

import authorization_server as answers
from grantd import build, client, is_sanitized, patience, until, within_reach
from service_manager import Service

program = build / "tests/programs/token-reader"
library = build / "client-lib/libgrantd.so.1"
alice = 64001


class Reader:
    """A process of its own that asks when it is told to."""

    def __init__(self, daemon, wrapper=(), uid=None):
        command, environment = [*wrapper, program, "ask"], {**os.environ, "GRANTD_SOCKET": str(daemon.socket)}
        if uid is not None:
            environment["LD_LIBRARY_PATH"] = within_reach(library, daemon.directory).parent
            command = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups",
                       within_reach(program, daemon.directory), "ask"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def get(self, name, *wishes):
        """The token, or the code of the error."""
        return self.ask(" ".join(["get", name, *wishes])).split(" ")[0]

    def version(self, name):
        return self.ask(f"get {name}").split(" ")[1]

    def close(self):
        self.process.stdin.close()
        self.process.wait(patience)
        self.process.stdout.close()


@pytest.fixture
def readers():
    made = []

    def make(daemon, **options):
        made.append(Reader(daemon, **options))
        return made[-1]

    yield make
    for reader in made:
        reader.close()


def run(daemon, *arguments, wrapper=(), timeout=120):
    return subprocess.run([*wrapper, program, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, "GRANTD_SOCKET": str(daemon.socket)})


def served(daemon, name="a"):
    return daemon.clients()[name]["served"]


def one(server, **keys):
    return {"clients": {"a": client(server, **keys)}}


def test_a_token_at_hand_is_read_without_the_daemon(start_daemon, authorization_server, readers):
    daemon = start_daemon(one(authorization_server))
    reader = readers(daemon)
    token = reader.get("a")
    assert {reader.get("a") for _ in range(100)} == {token}
    assert served(daemon) == 1


def test_wishes_of_their_own_have_a_page_of_their_own(start_daemon, authorization_server, readers):
    daemon = start_daemon(one(authorization_server, allow_overrides=["audience"]))
    reader = readers(daemon)
    tokens = {wish: reader.get("a", *wish) for wish in ((), ("audience=x",), ("audience=y",))}
    assert len(set(tokens.values())) == 3
    for wish, token in tokens.items():
        assert reader.get("a", *wish) == token
    assert served(daemon) == 3


def test_only_what_the_page_cannot_satisfy_goes_over_the_socket(start_daemon, authorization_server, readers):
    authorization_server.otherwise = answers.token(expires_in=1000)
    daemon = start_daemon(one(authorization_server))
    reader = readers(daemon)
    first, version = reader.ask("get a").split(" ")
    assert reader.get("a", "min_valid=900") == first and served(daemon) == 1
    assert reader.get("a", "rejected=another") == first and served(daemon) == 1
    assert reader.get("a", "min_valid=-1") == "invalid_request"
    second = reader.get("a", f"rejected={version}")
    assert second != first and served(daemon) == 2
    assert reader.get("a", f"rejected={version}") == second and served(daemon) == 2
    third = reader.get("a", "force")
    assert third not in (first, second) and served(daemon) == 3
    assert reader.get("a") == third and served(daemon) == 3
    assert authorization_server.count == 3


def test_an_eviction_shows_in_the_next_call_of_every_process(start_daemon, authorization_server, readers):
    daemon = start_daemon(one(authorization_server))
    all_readers = [readers(daemon) for _ in range(3)]
    assert len({reader.get("a") for reader in all_readers}) == 1
    old = all_readers[0].get("a")
    assert all_readers[0].ask("evict a") == "done"
    assert {reader.get("a") for reader in all_readers} == {daemon.get_token("a").token} != {old}
    assert authorization_server.count == 2


@pytest.mark.parametrize("withdrawn", [{"allow_users": ["64002"]}, {"expose_token": False}, None])
def test_a_permission_that_is_withdrawn_shows_in_the_next_call(start_daemon, authorization_server, readers, withdrawn):
    definition = client(authorization_server)
    daemon = start_daemon({"daemon": {"socket_mode": "0666"}, "clients": {"a": definition}})
    reader = readers(daemon, uid=alice)
    assert reader.get("a") == daemon.get_token("a").token
    daemon.configure({"daemon": {"socket_mode": "0666"}, "clients": {} if withdrawn is None else {"a": definition | withdrawn}})
    assert daemon.reload().status == 204
    assert reader.get("a") == ("unknown_client" if withdrawn is None else "access_denied")


@pytest.mark.parametrize("how", ["force", "rejected"])
def test_a_renewal_shows_in_the_next_call_and_not_before(start_daemon, authorization_server, readers, gate, how):
    daemon = start_daemon(one(authorization_server))
    reader, other = readers(daemon), readers(daemon)
    old, wish = reader.get("a"), "force" if how == "force" else f"rejected={other.version('a')}"
    authorization_server.otherwise = answers.gated(gate, answers.token())
    asking = threading.Thread(target=lambda: renewed.append(other.get("a", wish)))
    renewed = []
    asking.start()
    until(lambda: authorization_server.count == 2)
    assert reader.get("a") == old
    gate.set()
    asking.join(patience)
    assert reader.get("a") == renewed[0] != old
    assert authorization_server.count == 2


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_page_serves_while_the_daemon_is_gone_and_its_next_process_is_found(make_daemon, authorization_server, readers, how):
    daemon = make_daemon(one(authorization_server, max_provoked_requests=100)).start()
    reader = readers(daemon)
    token = reader.get("a")
    daemon.signal(how)
    daemon.process.wait(patience)
    assert {reader.get("a") for _ in range(10)} == {token}
    assert reader.get("absent") == "daemon_unreachable"
    daemon.start()
    assert reader.get("a", "force") == daemon.get_token("a").token != token
    assert reader.get("a") == daemon.get_token("a").token


def test_without_a_daemon_a_page_serves_until_its_token_has_too_little_left(make_daemon, authorization_server, readers):
    authorization_server.otherwise = answers.token(expires_in=3)
    daemon = make_daemon(one(authorization_server)).start()
    reader = readers(daemon)
    token = reader.get("a")
    daemon.signal(signal.SIGKILL)
    daemon.process.wait(patience)
    daemon.process = None
    assert reader.get("a") == token
    until(lambda: reader.get("a") == "daemon_unreachable", interval=0.05)


def test_a_definition_that_exposes_no_token_has_no_page(start_daemon, authorization_server, readers):
    daemon = start_daemon(one(authorization_server, expose_token=False))
    assert readers(daemon).get("a") == "access_denied"


def test_a_token_whose_page_cannot_be_held_for_the_next_process_is_got_over_the_socket_each_time(make_daemon, authorization_server,
                                                                                                  readers):
    clients = {f"c{number}": client(authorization_server) for number in range(8)}
    service = Service(make_daemon({"clients": clients}), FDSTORE="8").start()
    daemon = service.daemon
    reader = readers(daemon)
    tokens = {name: reader.get(name) for name in clients}
    assert {name: reader.get(name) for name in clients} == tokens
    assert {name: served(daemon, name) for name in clients} == {name: 1 for name in clients} | {"c7": 2}
    assert len(daemon.events("too_many_pages")) == 1
    daemon.delete_token("c0")
    assert reader.get("c7") == reader.get("c7") == tokens["c7"]
    assert served(daemon, "c7") == 3
    service.manager.close()


def test_in_another_time_namespace_every_call_asks_the_daemon(start_daemon, authorization_server, readers):
    wrapper = ["unshare", "--time", "--boottime", "3", "--fork"]
    if subprocess.run([*wrapper, "true"], capture_output=True).returncode != 0:
        pytest.skip("no time namespace can be made here")
    authorization_server.otherwise = answers.token(expires_in=1000)
    daemon = start_daemon(one(authorization_server))
    reader = readers(daemon, wrapper=wrapper)
    token = reader.get("a")
    assert {reader.get("a") for _ in range(5)} == {token}
    assert served(daemon) == 6


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer makes system calls of its own")
def test_cached_reads_go_on_where_every_system_call_ends_the_process(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server))
    done = run(daemon, "confined", "a", 200_000)
    assert done.returncode == 0, done


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer makes system calls of its own")
def test_strace_sees_no_system_call_of_a_cached_read(start_daemon, authorization_server, tmp_path):
    daemon = start_daemon(one(authorization_server))

    def calls(count):
        output = tmp_path / f"trace-{count}"
        done = run(daemon, "confined", "a", count, wrapper=["strace", "-f", "-o", output])
        assert done.returncode == 0, done
        return [re.sub(r"^\d+ +", "", line).split("(")[0] for line in output.read_text().splitlines()]

    few, many = calls(10), calls(100_000)
    assert "connect" in few and few == many


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer has a heap of its own")
def test_a_cached_read_writes_to_nothing_that_threads_share(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server))
    done = run(daemon, "frozen", "a", 10_000)
    assert done.returncode == 0, done


@pytest.mark.stampede
def test_children_of_a_process_whose_threads_read_read_as_well(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server))
    done = run(daemon, "forking", "a", 10 if is_sanitized() else 40)
    assert done.returncode == 0 and done.stdout == "0 wrong\n", done


def test_descriptors_that_have_become_somebody_elses_are_left_alone(start_daemon, authorization_server):
    daemon = start_daemon({"clients": {"a": client(authorization_server), "b": client(authorization_server)}})
    done = run(daemon, "strangers", "a", "b")
    assert done.returncode == 0 and done.stdout == "untouched\n", done


@pytest.mark.stampede
def test_who_reads_without_a_pause_never_waits_for_a_renewal_and_has_no_dead_token(start_daemon, authorization_server):
    # A caller that had to wait for a token request would wait for more than a second.
    authorization_server.script(answers.token(expires_in=6))
    authorization_server.otherwise = answers.delayed(1.2, answers.token(expires_in=6))
    daemon = start_daemon(one(authorization_server))
    done = run(daemon, "watch", "a", 9)
    seen = json.loads(done.stdout)
    print(seen)
    assert seen["failed"] == seen["expired"] == seen["torn"] == 0
    assert seen["versions"] >= 2
    assert authorization_server.count <= seen["versions"] + 1
    assert seen["longest"] < 1_000_000_000
    if not is_sanitized():
        assert seen["reads"] > 1_000_000


def test_a_server_that_gives_the_same_token_again_makes_nobody_who_reads_its_page_wait_for_the_next(start_daemon, authorization_server):
    same = answers.new_token()
    authorization_server.script(answers.token(access_token=same, expires_in=10), answers.token(access_token=same, expires_in=5))
    daemon = start_daemon(one(authorization_server))
    seen = json.loads(run(daemon, "watch", "a", 11).stdout)
    assert seen["failed"] == seen["expired"] == 0 and seen["versions"] == 2
    assert authorization_server.count == 3
    # Ahead of the moment in which too little is left of it and everybody has to ask: a second before its end.
    first, _, last = authorization_server.requests
    assert last.time - first.time < 8.7


@pytest.mark.skipif(is_sanitized(), reason="a thousand processes with a sanitizer take more memory than there may be")
def test_a_thousand_processes_at_a_renewal_cause_one_token_request_and_wait_no_longer_than_for_the_socket(
        start_daemon, authorization_server):
    authorization_server.script(answers.token(expires_in=8))
    authorization_server.otherwise = answers.delayed(2, answers.token())
    daemon = start_daemon(one(authorization_server))
    done = run(daemon, "swarm", "a", 1000, 8)
    seen = json.loads(done.stdout)
    print(seen)
    assert seen["failed"] == seen["expired"] == seen["torn"] == 0
    assert seen["versions"] == 2
    assert authorization_server.count == 2
    # The round trip that there is to compare with: that of the thousand that asked at once in the beginning.
    assert seen["longest"] < max(2 * seen["first"], 250_000_000) and seen["longest"] < 1_500_000_000
