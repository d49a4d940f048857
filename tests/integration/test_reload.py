"""A configuration is swapped whole or not at all, and tokens of definitions that did not change are kept."""

import re
import signal
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

import token_page
from authorization_server import gated, oauth_error, token
from grantd import api, client, is_sanitized, new_secret, until
from problems import assert_problem

alice = 70001


@pytest.fixture(params=["SIGHUP", "POST"])
def reload(request):
    """Reloads in one of the two ways and waits until it is done."""

    def run(daemon):
        if request.param == "POST":
            assert daemon.reload().status == 204
            return
        before = len(daemon.events("reloaded"))
        daemon.signal(signal.SIGHUP)
        until(lambda: len(daemon.events("reloaded")) > before)

    return run


def test_a_reload_adds_and_removes_definitions_and_keeps_tokens(start_daemon, authorization_server, api_server, reload):
    kept, removed = client(authorization_server), client(authorization_server)
    daemon = start_daemon({"clients": {"kept": kept, "removed": removed}})
    first = daemon.get_token("kept").token
    daemon.get_token("removed")
    daemon.configure({"clients": {"kept": kept, "added": client(authorization_server)},
                      "apis": {"x": api(api_server, "added")}})
    reload(daemon)
    assert daemon.get_token("kept").token == first
    assert_problem(daemon.get_token("removed"), "unknown_client")
    assert daemon.get_token("added").status == 200
    assert daemon.call("x", "/").status == 200


def test_a_bad_configuration_is_refused_whole(start_daemon, authorization_server):
    good = client(authorization_server)
    daemon = start_daemon({"clients": {"a": good}})
    first = daemon.get_token("a").token
    secret = new_secret()
    daemon.configure({"clients": {"a": good, "b": client(authorization_server, scoope="x", client_secret=secret)}})
    refused = daemon.reload()
    document = assert_problem(refused, "invalid_configuration")
    assert any("scoope" in str(error) and "grantd.toml" in str(error) for error in document["errors"])
    assert secret.encode() not in refused.body
    assert daemon.get_token("a").token == first
    assert_problem(daemon.get_token("b"), "unknown_client")
    daemon.signal(signal.SIGHUP)
    until(lambda: "scoope" in daemon.log())
    assert daemon.get_token("a").token == first


def test_broken_text_is_refused_and_quoted_nowhere(start_daemon, authorization_server):
    daemon = start_daemon({"clients": {"a": client(authorization_server)}})
    secret = new_secret()
    daemon.configure(f'[clients.a]\nclient_secret = "{secret}\n')
    refused = daemon.reload()
    assert_problem(refused, "invalid_configuration")
    assert secret.encode() not in refused.body
    assert daemon.get_token("a").status == 200


@pytest.mark.parametrize("change", [{"scope": "other"}, {"audience": "other"}, {"resource": "urn:other"},
                                    {"parameters": {"p": "other"}}, {"client_id": "other"},
                                    {"client_secret": "replaced-secret"}])
def test_what_identifies_the_token_makes_it_a_new_one(start_daemon, authorization_server, change):
    definition = client(authorization_server, scope="one")
    daemon = start_daemon({"clients": {"a": definition}})
    first = daemon.get_token("a").token
    daemon.configure({"clients": {"a": definition | change}})
    assert daemon.reload().status == 204
    assert daemon.get_token("a").token != first
    assert authorization_server.count == 2


@pytest.mark.parametrize("change", [{"refresh_before_expiry": "5m"}, {"request_timeout": "7s"}, {"allow_users": ["0"]},
                                    {"max_provoked_requests": 99}, {"allow_overrides": ["scope"]}])
def test_timing_and_access_keys_do_not(start_daemon, authorization_server, change):
    definition = client(authorization_server, scope="one")
    daemon = start_daemon({"clients": {"a": definition}})
    first = daemon.get_token("a").token
    daemon.configure({"clients": {"a": definition | change}})
    assert daemon.reload().status == 204
    assert daemon.get_token("a").token == first
    assert authorization_server.count == 1


@pytest.mark.root
def test_changed_access_rules_hold_at_once_on_open_connections(start_daemon, authorization_server):
    definition = client(authorization_server)
    daemon = start_daemon({"daemon": {"socket_mode": "0666"}, "clients": {"a": definition}})
    with daemon.connect(uid=70001) as connection:
        assert connection.request("GET", "/v1/tokens/a").status == 200
        daemon.configure({"daemon": {"socket_mode": "0666"}, "clients": {"a": definition | {"allow_users": ["0"]}}})
        assert daemon.reload().status == 204
        assert_problem(connection.request("GET", "/v1/tokens/a"), "access_denied")


def test_a_reload_clears_remembered_errors(start_daemon, authorization_server, reload):
    authorization_server.script(oauth_error("invalid_client", 401))
    daemon = start_daemon({"clients": {"a": client(authorization_server)}})
    assert_problem(daemon.get_token("a"), "token_request_rejected")
    reload(daemon)
    assert daemon.get_token("a").status == 200


def test_callers_that_wait_during_a_reload_are_answered(start_daemon, authorization_server, gate):
    authorization_server.otherwise = gated(gate, token())
    definition = client(authorization_server)
    daemon = start_daemon({"clients": {"a": definition, "b": client(authorization_server)}})
    waiting = [daemon.connect() for _ in range(4)]
    for name, connection in zip("aabb", waiting):
        connection.send_request("GET", f"/v1/tokens/{name}")
    until(lambda: authorization_server.count == 2)
    daemon.configure({"clients": {"a": definition}})
    assert daemon.reload().status == 204
    gate.set()
    for connection in waiting:
        assert connection.read_response().status in (200, 404, 503)
        connection.close()
    assert daemon.get_token("a").status == 200


def test_a_streamed_answer_survives_a_reload(start_daemon, authorization_server, api_server):
    from api_server import events

    opened = threading.Event()
    api_server.on("/events", events([opened]))
    daemon = start_daemon({"clients": {"a": client(authorization_server)}, "apis": {"x": api(api_server, "a")}})
    with daemon.connect() as connection:
        connection.send_request("GET", "/v1/proxy/x/events")
        connection.read_head()
        connection.read_chunk()
        daemon.configure({"clients": {"b": client(authorization_server)}})
        assert daemon.reload().status == 204
        opened.set()
        assert connection.read_chunk() == b"data: 1\n\n"
        assert connection.read_chunk() == b""


def reloads(daemon):
    return daemon.metric("grantd_reloads_total", result="success")


def test_a_thousand_reloads_under_load_lose_no_request_and_leak_nothing(start_daemon, authorization_server, api_server):
    steady, proxied = client(authorization_server), client(authorization_server)
    secret = new_secret()

    def configuration(number):
        """The steady definitions among others that come, go and change; every tenth has an error."""
        passing = {f"passing-{number % 7}": client(authorization_server, client_secret=secret, scope=f"s{number % 3}"),
                   "changing": client(authorization_server, client_secret=f"{secret}{number % 2}", prefetch=number % 3 == 0)}
        if number % 10 == 9:
            passing["changing"]["no_such_key"] = 1
        return {"clients": {"a": steady, "b": proxied} | passing,
                "apis": {"x": api(api_server, "b"), f"y{number % 5}": api(api_server, "a", headers={"X-Number": str(number)})}}

    daemon = start_daemon(configuration(0))
    first = daemon.get_token("a").token
    assert daemon.call("x").status == 200
    stop = threading.Event()
    failures, served = [], Counter()

    def load(name, request):
        with daemon.connect() as connection:
            while not stop.is_set():
                answer = request(connection)
                served[name] += 1
                if answer.status != 200 or (name == "token" and answer.token != first):
                    failures.append((name, answer))
                    return

    requests = {"token": lambda connection: connection.request("GET", "/v1/tokens/a"),
                "call": lambda connection: connection.request("GET", "/v1/proxy/x/"),
                "new connection": lambda _: daemon.get("/v1/tokens/b")}
    threads = [threading.Thread(target=load, args=pair) for pair in requests.items()]
    for thread in threads:
        thread.start()
    descriptors = lambda: len(list(Path(f"/proc/{daemon.process.pid}/fd").iterdir()))  # noqa: E731
    try:
        for number in range(1000):
            if number == 200:
                warm = daemon.memory(), descriptors()
            daemon.configure(configuration(number))
            if number % 50 == 0:
                # The log may be a reload behind, and the next configuration must not be written while this one is read.
                before = reloads(daemon)
                daemon.signal(signal.SIGHUP)
                until(lambda: reloads(daemon) > before)
            else:
                assert daemon.reload().status == (422 if number % 10 == 9 else 204)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures
    assert min(served[name] for name in requests) > 100
    until(lambda: descriptors() <= warm[1] + 8)
    if not is_sanitized():
        assert daemon.memory() - warm[0] < 4 << 20


def test_a_reload_without_the_secrets_file_takes_nothing_away(start_daemon, authorization_server, directory, reload):
    file = directory / "secret"
    file.write_text(new_secret())
    definition = client(authorization_server, client_secret_file=file)
    del definition["client_secret"]
    daemon = start_daemon({"clients": {"a": definition}})
    version = daemon.get_token("a").json()["version"]
    file.unlink()
    reload(daemon)
    assert daemon.get_token("a").json()["version"] == version
    assert daemon.post_token("a", force_renewal=True).status == 200  # with what was read last
    file.write_text(new_secret())
    reload(daemon)
    assert daemon.post_token("a", force_renewal=True).status == 200


def unfinished_post(daemon, target, **options):
    """A connection on which a request lacks the end of its body."""
    connection = daemon.connect(**options)
    connection.send(f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{{".encode())
    return connection


def test_a_withdrawn_permission_holds_for_requests_that_began_before(start_daemon, authorization_server):
    definition = client(authorization_server, allow_users=[str(alice), "root"])
    daemon = start_daemon({"daemon": {"socket_mode": "0666"}, "clients": {"a": definition}})
    assert daemon.get_token("a", uid=alice).status == 200
    waiting = [unfinished_post(daemon, target, uid=alice) for target in ("/v1/tokens/a", "/v1/tokens/a/page")]
    daemon.configure({"daemon": {"socket_mode": "0666"}, "clients": {"a": definition | {"allow_users": ["root"]}}})
    assert daemon.reload().status == 204
    for connection in waiting:
        connection.send(b"}")
        assert_problem(connection.read_response("POST"), "access_denied", client="a")
        connection.close()


@pytest.mark.parametrize("change", ["removed", "other client_id"])
def test_pages_of_a_definition_that_is_gone_are_closed_whoever_is_still_asking(start_daemon, authorization_server, change):
    definition = client(authorization_server)
    daemon = start_daemon({"clients": {"a": definition, "b": client(authorization_server)}})
    page = token_page.ask(daemon.socket, "a")
    assert page.state == token_page.OPEN
    asking = unfinished_post(daemon, "/v1/tokens/a")
    changed = {} if change == "removed" else {"a": definition | {"client_id": "other"}}
    daemon.configure({"clients": {"b": client(authorization_server)} | changed})
    assert daemon.reload().status == 204
    assert page.state == token_page.CLOSED
    asking.close()


slow_name_service = """
#include <errno.h>
#include <pwd.h>
#include <unistd.h>
int getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size, struct passwd **found) {
  (void)name, (void)entry, (void)buffer, (void)size;
  sleep(3);
  *found = 0;
  return EIO;
}
"""


@pytest.fixture
def with_slow_names(make_daemon, tmp_path):
    """Makes daemons for which the look-up of a user's name takes three seconds."""
    if is_sanitized():
        pytest.skip("a sanitizer's runtime must be the first library")
    source, library = tmp_path / "slow.c", tmp_path / "slow.so"
    source.write_text(slow_name_service)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)

    def make(configuration):
        daemon = make_daemon(configuration)
        daemon.environment = {"LD_PRELOAD": str(library)}
        return daemon

    return make


def test_a_reload_that_is_asked_for_while_the_daemon_starts_comes_afterwards(with_slow_names, authorization_server):
    daemon = with_slow_names({"clients": {"a": client(authorization_server, allow_users=["x"])}})
    daemon.launch()
    until(lambda: "slow.so" in Path(f"/proc/{daemon.process.pid}/maps").read_text())
    blocked = until(lambda: int(re.search(r"SigBlk:\s+(\w+)", Path(f"/proc/{daemon.process.pid}/status").read_text())[1], 16))
    assert blocked == 1 << (signal.SIGHUP - 1)
    daemon.signal(signal.SIGHUP)
    daemon.wait_serving()
    assert until(lambda: daemon.events("reloaded"))


def test_a_slow_name_service_holds_up_nobody(with_slow_names, authorization_server):
    daemon = with_slow_names({"daemon": {"socket_mode": "0666"},
                              "clients": {"a": client(authorization_server),
                                          "b": client(authorization_server, allow_users=["x", "y"])}})
    daemon.start()
    assert daemon.get_token("a").status == 200
    began = time.monotonic()
    assert_problem(daemon.get_token("b", uid=alice), "access_denied", client="b")
    assert daemon.get_token("a").status == 200
    assert time.monotonic() - began < 2
