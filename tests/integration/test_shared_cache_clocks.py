"""Machines whose clocks are up to 30 seconds apart share tokens, and nobody gets one that has expired."""

import calendar
import subprocess
import time
from pathlib import Path

import pytest

from authorization_server import delayed, token
from conftest import real_client
from grantd import client, is_sanitized, until
from real_authorization_server import RealAuthorizationServer
from redis_server import RedisServer
from shared_cache import Sharing, entry_names

pytestmark = pytest.mark.skipif(is_sanitized(), reason="a sanitizer's runtime has to be the first library that is loaded")

apart = pytest.mark.parametrize("shift", [-30, 30], ids=["30 s behind", "30 s ahead"])


@pytest.fixture(scope="module")
def shifting_library(tmp_path_factory):
    library = tmp_path_factory.mktemp("clock") / "shifted_clock.so"
    source = Path(__file__).parents[1] / "fakes/shifted_clock.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(library), str(source)], check=True)
    return library


@pytest.fixture
def redis():
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture
def start_with_clock(start_daemon, shifting_library):
    """Starts a daemon whose wall clock is `shift` seconds off."""

    def start(configuration, shift):
        return start_daemon(configuration, environment={"LD_PRELOAD": str(shifting_library), "SHIFT_SECONDS": str(shift)})

    return start


def clock_of(daemon, name="a"):
    """By how many seconds its clock is ahead, by what it says of a token's end."""
    document = daemon.get_token(name).json()
    expires_at = calendar.timegm(time.strptime(document["expires_at"], "%Y-%m-%dT%H:%M:%SZ"))
    return expires_at - document["expires_in"] - time.time()


@apart
@pytest.mark.parametrize("first", ["right", "wrong"])
def test_a_token_of_some_minutes_costs_one_request_whoever_fetched_it(start_with_clock, sharing, authorization_server, redis,
                                                                      in_parallel, shift, first):
    authorization_server.otherwise = token(expires_in=300)
    right, wrong = (start_with_clock(sharing.configuration(), clock) for clock in (0, shift))
    pair = [right, wrong] if first == "right" else [wrong, right]
    documents = [daemon.get_token("a").json() for daemon in pair]
    assert abs(clock_of(wrong) - shift) < 3 and abs(clock_of(right)) < 3
    assert len({document["access_token"] for document in documents}) == 1 and authorization_server.count == 1
    assert documents[0]["expires_in"] >= 299
    assert 299 - abs(shift) <= documents[1]["expires_in"] <= 300
    # Rejected by both, then forced by each: every time one request, and the other has the new one.
    authorization_server.otherwise = delayed(0.2, token(expires_in=300))
    version = documents[0]["version"]
    renewed = in_parallel(lambda daemon: daemon.post_token("a", rejected=version).json()["version"], pair)
    assert len(set(renewed)) == 1 and renewed[0] != version and authorization_server.count == 2
    name, = entry_names(redis)
    for count, daemon in enumerate(pair, 3):
        before = redis("GET", name)
        forced = daemon.post_token("a", force_renewal=True).json()["version"]
        until(lambda: redis("GET", name) != before)
        assert authorization_server.count == count
        for clock in (0, shift):
            assert start_with_clock(sharing.configuration(), clock).get_token("a").json()["version"] == forced
        assert authorization_server.count == count
    # The one that still has the one before is told that it is refused.
    for daemon in pair:
        assert daemon.post_token("a", rejected=renewed[0]).status == 200
    assert authorization_server.count == 4


@apart
def test_a_machine_that_starts_again_finds_the_token_of_the_other(start_with_clock, sharing, authorization_server, shift):
    authorization_server.otherwise = token(expires_in=300)
    fleet = [start_with_clock(sharing.configuration(), clock) for clock in (0, shift)]
    before = {daemon.get_token("a").token for daemon in fleet}
    for daemon in fleet:
        daemon.stop()
        daemon.start()
        assert {daemon.get_token("a").token} == before
    assert authorization_server.count == 1


@pytest.mark.parametrize("shift", [0, 30])
def test_an_entry_that_was_put_back_prolongs_a_token_by_no_more_than_the_clocks_differ(start_with_clock, sharing, redis, shift,
                                                                                     authorization_server):
    authorization_server.otherwise = token(expires_in=2)
    wrong, right = (start_with_clock(sharing.configuration(), clock) for clock in (shift, 0))
    before = wrong.get_token("a").token
    name, = entry_names(redis)
    redis("PERSIST", name)
    time.sleep(2.1)
    answer = right.get_token("a")
    assert answer.token != before or (shift and answer.json()["expires_in"] <= 2)


def test_a_clock_that_is_a_minute_ahead_is_not_believed(start_with_clock, sharing, authorization_server):
    wrong, right = (start_with_clock(sharing.configuration(), shift) for shift in (60, 0))
    assert wrong.get_token("a").token != right.get_token("a").token
    assert authorization_server.count == 2
    assert right.metric("grantd_shared_cache_refused_entries_total", reason="future") == 1
    assert len(until(lambda: right.events("shared_entry_refused"))) == 1


@apart
def test_nobody_gets_a_token_that_the_server_holds_for_expired(start_with_clock, directory, redis, in_parallel, shift):
    server = RealAuthorizationServer([real_client("brief", ttl=4)])
    try:
        sharing = Sharing(directory, redis.url, server)
        sharing.clients = {"a": client(server, client_id="brief", client_secret=server.clients["brief"]["client_secret"],
                                       refresh_before_expiry="1s")}
        fleet = [start_with_clock(sharing.configuration(), clock) for clock in (0, shift, 0, shift)]
        deadline = time.monotonic() + 8
        ends = {}  # by token, as the server counts: in whole seconds, rounded down

        def use(daemon):
            while time.monotonic() < deadline:
                asked = time.time()
                document = daemon.get_token("a").json()
                token = document["access_token"]
                if token not in ends:
                    ends[token] = server.introspect(token)["exp"]
                assert asked < ends[token] + 1 and document["expires_in"] <= ends[token] + 1 - asked, document
                time.sleep(0.02)

        in_parallel(use, fleet)
        assert len(ends) == server.token_requests("brief") >= 3
    finally:
        server.close()
