"""A Redis that is far away: what is asked at once shares round trips, so that the number of definitions delays nobody."""

import pytest

from grantd import until
from redis_line import RedisLine
from redis_server import RedisServer
from shared_cache import Sharing


@pytest.fixture
def redis():
    server = RedisServer(requirepass="right")
    yield server
    server.close()


@pytest.fixture
def line(redis):
    lines = []

    def make(round_trip):
        lines.append(RedisLine(redis, round_trip))
        return lines[-1]

    yield make
    for each in lines:
        each.close()


@pytest.fixture
def sharing(directory, authorization_server):
    def make(line, definitions=1):
        made = Sharing(directory, line.url, authorization_server)
        password = directory / "password"
        password.write_text("right")
        made.cache["password_file"] = password
        made.clients = {f"c{number}": made.clients["a"] | {"client_id": f"c{number}"} for number in range(definitions)}
        return made

    return make


def test_a_cold_start_takes_a_round_trip_to_look_and_one_for_the_lease(start_daemon, sharing, line):
    far = line(0.02)
    daemon = start_daemon(sharing(far).configuration(timeout="2s"))
    assert daemon.get_token("c0").status == 200
    until(lambda: len(far.asked) >= 4)
    look_up, lease, write, release = far.asked[:4]
    assert b"AUTH" in look_up and b"GETRANGE" in look_up and b"PTTL" in look_up
    assert b"SET" in lease and b"GETRANGE" in lease and b"PTTL" in lease
    assert b"EVAL" in write and b"EVAL" in release


@pytest.mark.parametrize("round_trip, definitions", [(0.1, 100), (0.04, 400)])
def test_however_many_definitions_start_at_once_all_are_shared(start_daemon, sharing, line, in_parallel, authorization_server,
                                                               round_trip, definitions):
    far = line(round_trip)
    configuration = sharing(far, definitions).configuration(timeout="1s")
    one = start_daemon(configuration)
    tokens = in_parallel(lambda number: one.get_token(f"c{number}").token, range(definitions))
    until(lambda: one.metric("grantd_shared_cache_operations_total", operation="write", result="ok") == definitions)
    requests = authorization_server.count
    assert requests == definitions
    other = start_daemon(configuration)
    assert in_parallel(lambda number: other.get_token(f"c{number}").token, range(definitions)) == tokens
    assert authorization_server.count == requests
    for daemon in (one, other):
        assert not daemon.events("shared_cache_down")
        assert not daemon.metric("grantd_shared_cache_operations_total", operation="look_up", result="timeout")
    assert far.connections <= 8
