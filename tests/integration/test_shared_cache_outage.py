"""Whatever happens to Redis, and whatever it holds: nobody gets an error, nobody waits longer than the timeout, and nothing
that is no entry is used."""

import socket
import threading
import time

import pytest

from authorization_server import token
from grantd import is_sanitized, until
from redis_server import RedisError, RedisServer, free_port
from shared_cache import Sharing, entry_names, is_up, state_of

# The daemon's own part of a fetch; the timeout is 0.1 s.
slack = 2 if is_sanitized() else 0.4


@pytest.fixture
def redis():
    server = RedisServer()
    yield server
    server.close()


def timed(call):
    began = time.monotonic()
    result = call()
    return result, time.monotonic() - began


def force(daemon):
    return daemon.post_token("a", force_renewal=True)


def new_variant(daemon, number):
    """A fetch that looks into the shared cache first."""
    return daemon.get_token("a", f"audience=number-{number}")


@pytest.fixture
def daemon(start_daemon, sharing):
    sharing.clients["a"] |= {"allow_overrides": ["audience"], "max_provoked_requests": 1000}
    return start_daemon(sharing.configuration())


def test_a_redis_that_was_never_there_costs_nothing_and_is_found_when_it_comes(directory, start_daemon,
                                                                                authorization_server):
    redis = RedisServer()
    redis.kill()
    try:
        sharing = Sharing(directory, redis.tcp_url, authorization_server)
        daemon = start_daemon(sharing.configuration())
        answer, duration = timed(lambda: daemon.get_token("a"))
        assert answer.status == 200 and duration < 0.1 + slack
        state, error = state_of(daemon)
        assert state == "down" and str(redis.port) in error
        assert daemon.metric("grantd_shared_cache_up") == 0
        redis.start()
        until(lambda: is_up(daemon))
        assert daemon.metric("grantd_shared_cache_up") == 1
        force(daemon)
        until(lambda: redis.entries())
        assert len(daemon.events("shared_cache_down")) == 1 and len(daemon.events("shared_cache_up")) == 1
    finally:
        redis.close()


def test_a_redis_that_hangs_is_waited_for_once(daemon, redis, authorization_server):
    new_variant(daemon, 0)
    entry_names(redis)
    redis.pause()
    durations = [timed(lambda: new_variant(daemon, number)) for number in range(1, 6)]
    assert {answer.status for answer, _ in durations} == {200}
    assert durations[0][1] >= 0.09
    assert all(duration < 0.1 + slack for _, duration in durations)
    assert sum(duration for _, duration in durations[1:]) < slack  # the circuit is open
    assert authorization_server.count == 6
    redis.resume()
    until(lambda: is_up(daemon))
    new_variant(daemon, 7)
    until(lambda: len(redis.entries()) >= 2)


def test_everybody_who_waits_when_redis_begins_to_hang_goes_on_together(daemon, redis, in_parallel):
    new_variant(daemon, 0)
    entry_names(redis)
    redis.pause()
    results = in_parallel(lambda number: timed(lambda: new_variant(daemon, number)), range(1, 21), threads=20)
    redis.resume()
    assert {answer.status for answer, _ in results} == {200}
    assert max(duration for _, duration in results) < 0.1 + 2 * slack


def test_a_fresh_token_is_never_delayed(daemon, redis):
    before = daemon.get_token("a").token
    entry_names(redis)
    redis.pause()
    answer, duration = timed(lambda: [daemon.get_token("a").token for _ in range(10)])
    assert set(answer) == {before} and duration < 0.09 + slack
    redis.resume()


def test_a_restart_of_redis_is_not_noticed(daemon, redis, authorization_server):
    new_variant(daemon, 0)
    entry_names(redis)
    redis.kill()
    redis.start()
    new_variant(daemon, 1)
    assert not daemon.events("shared_cache_down")
    assert len(entry_names(redis)) == 1


def test_a_token_deleted_while_redis_is_away_does_not_come_back(daemon, redis, authorization_server):
    before = daemon.get_token("a").token
    entry_names(redis)
    redis.pause()
    answer, duration = timed(lambda: daemon.delete_token("a"))
    assert answer.status == 204 and duration < 0.1 + slack
    redis.resume()
    until(lambda: is_up(daemon))
    assert daemon.get_token("a").token != before


def test_a_token_deleted_while_redis_is_away_is_deleted_there_when_it_is_back(daemon, redis):
    daemon.get_token("a")
    entry_names(redis)
    redis.pause()
    daemon.post_token("a", force_renewal=True)
    until(lambda: not is_up(daemon))
    assert daemon.delete_token("a").status == 204  # and Redis is not even asked
    redis.resume()
    until(lambda: not redis.names())


def test_a_token_rejected_while_redis_is_away_is_given_to_nobody_afterwards(start_daemon, daemon, redis, sharing,
                                                                            authorization_server):
    before = daemon.get_token("a").json()
    entry_names(redis)
    redis.pause()
    replacement = daemon.post_token("a", rejected=before["version"]).json()
    assert replacement["version"] != before["version"]
    redis.resume()
    until(lambda: not redis.names())
    assert start_daemon(sharing.configuration()).get_token("a").json()["version"] != before["version"]


def test_a_write_that_redis_carries_out_after_its_token_was_rejected_is_taken_back(start_daemon, daemon, redis, sharing):
    """A server that is stopped has it in its buffer, and carries it out when it goes on."""
    daemon.get_token("a")
    entry_names(redis)
    redis("FLUSHALL")
    redis.pause()
    rejected = force(daemon).json()["version"]
    until(lambda: not is_up(daemon))
    assert daemon.post_token("a", rejected=rejected).json()["version"] != rejected
    redis.resume()
    until(lambda: is_up(daemon))
    until(lambda: not redis.names())
    other = start_daemon(sharing.configuration())
    assert other.get_token("a").json()["version"] != rejected


@pytest.mark.parametrize("wrong, code", [("wrong", "WRONGPASS"), (None, "NOAUTH")])
def test_a_wrong_password_is_told_and_a_corrected_one_noticed(directory, start_daemon, authorization_server, wrong, code):
    redis = RedisServer(requirepass="right")
    password = directory / "password"
    password.write_text(wrong or "")
    try:
        sharing = Sharing(directory, redis.url, authorization_server)
        daemon = start_daemon(sharing.configuration(**({"password_file": password} if wrong else {})))
        assert daemon.get_token("a").status == 200
        state, error = state_of(daemon)
        assert state == "down" and code in error
        if wrong:
            password.write_text("right")
            until(lambda: is_up(daemon))
            force(daemon)
            until(lambda: redis.entries())
    finally:
        redis.close()


def read_only(redis):
    redis("REPLICAOF", "127.0.0.1", free_port())


def full(redis):
    redis("CONFIG", "SET", "maxmemory", "1")


def without_scripts(redis):
    redis("ACL", "SETUSER", "default", "-eval")


@pytest.mark.parametrize("break_it, code", [(read_only, "READONLY"), (full, "OOM"), (without_scripts, "NOPERM")])
def test_a_redis_that_takes_no_writes_is_read_and_told_once(daemon, redis, authorization_server, break_it, code):
    break_it(redis)
    for number in range(4):
        answer, duration = timed(lambda: new_variant(daemon, number))
        assert answer.status == 200 and duration < 0.1 + slack
    assert authorization_server.count == 4
    until(lambda: daemon.metric("grantd_shared_cache_operations_total", operation="look_up", result="ok") >= 4)
    state, error = state_of(daemon)
    assert state == "up" and code in error
    lines = daemon.events("shared_cache_refused")
    assert all(f"code={code}" in line for line in lines) and 1 <= len(lines) <= 2  # lease and write at most


def put_list(redis, name):
    redis("DEL", name)
    redis("LPUSH", name, "x")


def put_giant(redis, name):
    redis("SETRANGE", name, 200_000_000, "x")


def put_flipped(redis, name):
    entry = bytearray(redis("GET", name))
    entry[-1] ^= 1
    redis("SET", name, bytes(entry), "PX", 100000)


def put_cut(redis, name):
    redis("SET", name, redis("GET", name)[:20])


def put_other_version(redis, name):
    redis("SET", name, b"\x02" + redis("GET", name)[1:])


def put_text(redis, name):
    redis("SET", name, "at-somebody-elses-token")


@pytest.mark.parametrize("damage", [put_list, put_giant, put_flipped, put_cut, put_other_version, put_text])
def test_what_is_no_entry_is_not_used_and_replaced(start_daemon, sharing, redis, authorization_server, damage):
    first, second = (start_daemon(sharing.configuration(timeout="2s")) for _ in range(2))
    before = first.get_token("a").token
    name, = entry_names(redis)
    damage(redis, name)
    memory = second.memory()
    after = second.get_token("a").token
    assert after != before and authorization_server.count == 2
    assert second.memory() - memory < 32 << 20
    until(lambda: redis("TYPE", name) == b"string" and redis("STRLEN", name) < 1000)
    third = start_daemon(sharing.configuration())
    assert third.get_token("a").token == after
    assert is_up(second)


def test_entries_that_were_swapped_are_not_used(daemon, start_daemon, sharing, redis, authorization_server):
    tokens = [new_variant(daemon, number).token for number in range(2)]
    one, two = entry_names(redis)
    first, second = redis("GET", one), redis("GET", two)
    redis("SET", one, second)
    redis("SET", two, first)
    other = start_daemon(sharing.configuration())
    assert not {new_variant(other, number).token for number in range(2)} & set(tokens)
    assert authorization_server.count == 4
    assert other.metric("grantd_shared_cache_refused_entries_total", reason="seal") >= 2


def test_an_entry_kept_beyond_its_time_does_not_live_longer(start_daemon, sharing, redis, authorization_server):
    authorization_server.otherwise = token(expires_in=2)
    first, second = (start_daemon(sharing.configuration()) for _ in range(2))
    before = first.get_token("a").token
    name, = entry_names(redis)
    redis("PERSIST", name)
    time.sleep(2.1)
    assert second.get_token("a").token != before


def test_a_redis_that_a_script_holds_up_is_left_alone_until_it_is_free(daemon, redis):
    redis("CONFIG", "SET", "busy-reply-threshold", "100")

    def hold_up():
        with pytest.raises(RedisError):
            redis("EVAL", "while true do end", "0")

    script = threading.Thread(target=hold_up)
    script.start()
    try:
        time.sleep(0.3)
        answer, duration = timed(lambda: new_variant(daemon, 0))
        assert answer.status == 200 and duration < 0.1 + slack
        state, error = state_of(daemon)
        assert state == "down" and "BUSY" in error
    finally:
        redis("SCRIPT", "KILL")
        script.join()
    until(lambda: is_up(daemon))


class Babbler:
    """Says the same to everybody, whatever it is asked."""

    def __init__(self, said, again=False):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.said, self.again = said, again
        self.connections = []
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self):
        return "redis://127.0.0.1:%d" % self.listener.getsockname()[1]

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection):
        try:
            connection.sendall(self.said)
            while self.again:
                connection.sendall(self.said)
        except OSError:
            pass

    def close(self):
        for held in [self.listener, *self.connections]:
            held.close()


@pytest.mark.parametrize("said, again", [
    (b"HTTP/1.1 200 OK\r\n\r\n", False), (b"*1000000000\r\n", False), (b"$536870912\r\n" + b"x" * 65536, True),
    (b"\r\n\0\xff" * 1000, True), (b"+", True), (b":1\r\n" * 100, True), (b"", False), (b"*1\r\n" * 100, False)],
    ids=["http", "long array", "giant text", "bytes", "endless line", "numbers", "silence", "nested arrays"])
def test_what_talks_something_else_is_left_alone(directory, start_daemon, authorization_server, said, again):
    babbler = Babbler(said, again)
    try:
        sharing = Sharing(directory, babbler.url, authorization_server)
        daemon = start_daemon(sharing.configuration())
        memory = daemon.memory()
        answer, duration = timed(lambda: daemon.get_token("a"))
        assert answer.status == 200 and duration < 0.1 + slack
        until(lambda: state_of(daemon)[0] == "down")
        assert daemon.memory() - memory < 32 << 20
    finally:
        babbler.close()
