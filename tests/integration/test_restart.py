"""Tokens outlive the process that fetched them, where a service manager holds the memory they are in; however it ended."""

import json
import os
import re
import signal
from pathlib import Path

import pytest

import authorization_server as answers
import token_page
from grantd import client, daemon_program, until, within_reach
from service_manager import Service

dpop_token = answers.token(token_type="DPoP")


@pytest.fixture
def service(make_daemon):
    """A service with these clients."""
    services = []

    def make(**clients):
        services.append(Service(make_daemon({"clients": clients})))
        return services[-1]

    yield make
    for one in services:
        one.manager.close()


def token_of(answer):
    assert answer.status == 200, answer.body
    return tuple(answer.json()[member] for member in ("access_token", "version", "expires_at"))


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL", "SIGABRT"])
def test_a_restart_keeps_every_valid_token_and_causes_no_request(service, authorization_server, how):
    clients = {f"c{number}": client(authorization_server, scope=f"s{number}", allow_overrides=["audience"]) for number in range(20)}
    serving = service(**clients).start()
    queries = ["", "audience=x"]
    before = {(name, query): token_of(serving.daemon.get_token(name, query)) for name in clients for query in queries}
    asked = authorization_server.count
    for _ in range(3):
        serving.restart(getattr(signal, how))
        after = {(name, query): token_of(serving.daemon.get_token(name, query)) for name in clients for query in queries}
        assert after == before
    assert authorization_server.count == asked
    assert not serving.daemon.events("kept_tokens_dropped")
    assert [name for name, _ in serving.manager.held] == ["tokens"]


def test_prefetch_fetches_nothing_that_is_there(service, authorization_server):
    serving = service(a=client(authorization_server, prefetch=True)).start()
    until(lambda: serving.daemon.get("/readyz").status == 200)
    serving.restart(signal.SIGKILL)
    assert serving.daemon.get("/readyz").status == 200
    assert authorization_server.count == 1


def test_what_a_restart_must_not_bring_back_is_fetched_anew(service, authorization_server):
    serving = service(evicted=client(authorization_server), changed=client(authorization_server),
                      rotated=client(authorization_server), gone=client(authorization_server)).start()
    for name in ("evicted", "changed", "rotated", "gone"):
        serving.daemon.get_token(name)
    assert serving.daemon.delete_token("evicted").status == 204
    serving.end(signal.SIGKILL)
    serving.daemon.configure({"clients": {"evicted": client(authorization_server), "rotated": client(authorization_server),
                                          "changed": client(authorization_server, client_id="another")}})
    serving.again()
    for name in ("changed", "rotated", "gone"):
        until(lambda: any(f"client={name}" in line for line in serving.daemon.events("kept_tokens_dropped")))
    assert not any("client=evicted" in line for line in serving.daemon.events("kept_tokens_dropped"))
    asked = authorization_server.count
    for name in ("evicted", "changed", "rotated"):
        assert serving.daemon.get_token(name).status == 200
    assert authorization_server.count == asked + 3


def test_a_secret_that_cannot_be_read_at_the_restart_takes_no_token_away(service, authorization_server, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("a-secret-of-some-length")
    definition = client(authorization_server, client_secret_file=secret)
    del definition["client_secret"]
    serving = service(a=definition).start()
    before = token_of(serving.daemon.get_token("a"))
    secret.rename(tmp_path / "away")
    serving.restart()
    assert token_of(serving.daemon.get_token("a")) == before
    (tmp_path / "away").rename(secret)
    assert serving.daemon.reload().status == 204
    assert token_of(serving.daemon.get_token("a")) == before
    assert authorization_server.count == 1


def test_a_dpop_key_made_at_start_is_kept_with_the_tokens_bound_to_it(service, authorization_server):
    authorization_server.script_always(dpop_token)
    serving = service(a=client(authorization_server, dpop=True)).start()
    first = token_of(serving.daemon.get_token("a"))
    second = token_of(serving.daemon.post_token("a", force_renewal=True))

    def key_of(version):
        proof = serving.daemon.request("POST", "/v1/dpop/a", [("Content-Type", "application/json")], json.dumps(
            {"method": "GET", "url": "https://api.example/x", "version": version}).encode())
        return proof.json()["dpop"].split(".")[0]

    before = [key_of(first[1]), key_of(second[1])]
    serving.restart(signal.SIGKILL)
    assert token_of(serving.daemon.get_token("a")) == second
    assert [key_of(first[1]), key_of(second[1])] == before
    assert authorization_server.count == 2


def test_a_damaged_memory_costs_a_request_and_no_more(service, authorization_server):
    serving = service(a=client(authorization_server), b=client(authorization_server)).start()
    kept = token_of(serving.daemon.get_token("a"))
    serving.daemon.get_token("b")
    serving.end()
    [(_, memory)] = serving.manager.held
    content = os.pread(memory, 1 << 16, 0)
    at = content.index(b"\x01\0\0\0\0\0\0\0b") + 8  # the second client's name
    os.pwrite(memory, b"x", at)
    serving.again()
    until(lambda: any("checksum" in line for line in serving.daemon.events("kept_tokens_dropped")))
    assert token_of(serving.daemon.get_token("a")) == kept
    assert serving.daemon.get_token("b").status == 200
    assert authorization_server.count == 3


def test_memory_of_another_layout_and_strangers_are_released(service, authorization_server):
    serving = service(a=client(authorization_server)).start()
    serving.daemon.get_token("a")
    serving.end()
    [(_, memory)] = serving.manager.held
    os.pwrite(memory, b"\xff", 16)
    serving.manager.held.append(("of-another-version", os.open("/dev/null", os.O_RDONLY)))
    serving.again()
    until(lambda: any("layout" in line for line in serving.daemon.events("kept_tokens_dropped")))
    until(lambda: serving.daemon.events("stored_descriptor_released"))
    assert serving.daemon.get_token("a").status == 200
    [(name, kept)] = serving.manager.held
    assert name == "tokens" and os.pread(kept, 1, 16) == b"\x01"


def test_no_more_than_the_live_tokens_stay_in_memory(service, authorization_server):
    serving = service(a=client(authorization_server, max_provoked_requests=1000)).start()
    seen = [token_of(serving.daemon.post_token("a", force_renewal=True))[0] for _ in range(50)]
    [(_, memory)] = serving.manager.held
    content = os.pread(memory, 1 << 20, 0)
    assert [token for token in seen if token.encode() in content] == seen[-1:]
    serving.daemon.delete_token("a")
    assert seen[-1].encode() not in os.pread(memory, 1 << 20, 0)


@pytest.mark.root
@pytest.mark.parametrize("limit, locked", [(0, False), (1 << 20, True)])
def test_what_is_held_is_locked_in_memory_where_that_may_be(service, authorization_server, limit, locked):
    serving = service(a=client(authorization_server))
    serving.daemon.directory.chmod(0o777)
    serving.manager.path.chmod(0o666)
    os.chown(serving.daemon.config, 64001, 64001)
    as_another_user = ["prlimit", f"--memlock={limit}", "setpriv", "--reuid", "64001", "--regid", "64001", "--clear-groups"]
    serving.daemon.wrapper = as_another_user
    serving.daemon.program = within_reach(daemon_program, serving.daemon.directory)
    serving.start()
    serving.end(signal.SIGKILL)
    serving.manager.pass_on_to(serving.daemon)
    serving.daemon.wrapper = [*as_another_user, *serving.daemon.wrapper]
    serving.start()
    token_page.ask(serving.daemon.socket, "a").close()

    def locked_kib():
        status = Path(f"/proc/{serving.daemon.process.pid}/status").read_text()
        return int(re.search(r"VmLck:\s+(\d+) kB", status)[1])

    # The tokens' memory and a page.
    assert locked_kib() >= 64 + 4 if locked else locked_kib() == 0
    until(lambda: {re.search(r"(kept tokens|token pages) may", line)[1] for line in serving.daemon.events("memory_not_locked")} ==
          (set() if locked else {"kept tokens", "token pages"}))


def test_nothing_is_kept_without_a_manager(make_daemon, authorization_server):
    daemon = make_daemon({"clients": {"a": client(authorization_server)}}).start()
    daemon.get_token("a")
    assert not any("memfd:" in os.readlink(link) for link in
                   (f"/proc/{daemon.process.pid}/fd/{number}" for number in os.listdir(f"/proc/{daemon.process.pid}/fd")))
