"""Whoever may write to Redis puts there what he likes, under the names of entries and of leases: none of it is used, none of it
is an error to anybody, and what is wrong is counted each time and logged once."""

import re
import time

import pytest

from authorization_server import gated, token
from grantd import is_sanitized, until
from redis_server import RedisServer
from shared_cache import Sharing, entry_names, is_up, new_key, state_of

slack = 2 if is_sanitized() else 0.5
request_timeout = 1.5


class Pair:
    """A daemon that fetches and one that looks for what it fetched. The timeout is none of these tests' matter."""

    def __init__(self, directory, redis, server, start_daemon):
        self.redis, self.server = redis, server
        self.sharing = Sharing(directory, redis.url, server, allow_overrides=["audience"], max_provoked_requests=100_000,
                               max_variants=100_000, request_timeout=f"{int(request_timeout * 1000)}ms")
        self.start = lambda: start_daemon(self.sharing.configuration(timeout="2s"))
        self.writer, self.reader = self.start(), self.start()

    def entry(self, number):
        """The name of the entry that the writer made for a variant, and the token in it."""
        before = set(self.redis.names())
        found = ask(self.writer, number).token
        name, = until(lambda: [name for name in set(self.redis.names()) - before if not name.endswith(":lease")])
        until(lambda: name + ":lease" not in self.redis.names())
        return name, found

    def refused(self, reason):
        return self.reader.metric("grantd_shared_cache_refused_entries_total", reason=reason)


def ask(daemon, number):
    return daemon.get_token("a", f"audience=number-{number}")


def timed(call):
    began = time.monotonic()
    result = call()
    return result, time.monotonic() - began


@pytest.fixture
def pair(directory, redis, authorization_server, start_daemon):
    return Pair(directory, redis, authorization_server, start_daemon)


def test_an_entry_with_a_flipped_bit_is_not_used_wherever_it_is(pair, redis):
    name, _ = pair.entry(0)
    size = redis("STRLEN", name)
    assert size > 1 + 12 + 16
    for position in range(size):
        name, before = pair.entry(position + 1)
        entry = bytearray(redis("GET", name))
        entry[position] ^= 1 << position % 8
        redis("SET", name, bytes(entry), "PX", 100_000)
        assert ask(pair.reader, position + 1).token != before, position
    assert (pair.refused("version"), pair.refused("seal"), pair.refused("form")) == (1, size - 1, 0)
    until(lambda: len(pair.reader.events("shared_entry_refused")) == size)
    assert is_up(pair.reader)


def test_an_entry_of_any_other_length_is_not_used(pair, redis):
    name, _ = pair.entry(0)
    size = redis("STRLEN", name)
    lengths = [*range(1, size), size + 1, size + 1000, 65536, 65537, 1 << 20]
    for length in lengths:
        name, before = pair.entry(length)
        entry = redis("GET", name)
        redis("SET", name, (entry + bytes(max(0, length - size)))[:length])
        assert ask(pair.reader, length).token != before, length
    assert sum(pair.refused(reason) for reason in ("version", "seal", "form")) == len(lengths)


@pytest.mark.parametrize("version", [0, 2, 3, 127, 255])
def test_an_entry_of_another_version_is_not_used_and_told_apart(pair, redis, version):
    name, before = pair.entry(0)
    redis("SET", name, bytes([version]) + redis("GET", name)[1:])
    assert ask(pair.reader, 0).token != before
    assert pair.refused("version") == 1 and pair.refused("seal") == 0


def test_what_is_wrong_with_an_entry_is_counted_each_time_and_logged_once(pair, redis):
    name, _ = pair.entry(0)
    damaged = redis("GET", name)[:-1] + b"?"
    for times in range(1, 6):
        redis("SET", name, damaged)
        assert ask(pair.reader, 0).status == 200
        assert pair.refused("seal") == times
        until(lambda: redis("GET", name) != damaged and name + ":lease" not in redis.names())
        assert pair.reader.delete_token("a").status == 204
    line, = until(lambda: pair.reader.events("shared_entry_refused"))
    assert re.search("client=a .*reason=seal", line)


def test_an_entry_sealed_under_another_key_or_for_another_prefix_is_not_used(pair, redis, start_daemon):
    name, before = pair.entry(0)
    elsewhere = start_daemon(pair.sharing.configuration(prefix="elsewhere:"))
    pair.sharing.cache["key_file"] = pair.sharing.key_file.with_name("other-keys")
    pair.sharing.cache["key_file"].write_text(new_key() + "\n")
    stranger = start_daemon(pair.sharing.configuration())
    others = {ask(daemon, 0).token for daemon in (elsewhere, stranger)}
    assert before not in others and len(others) == 2
    for number, other in enumerate(set(entry_names(redis)) - {name}, 1):
        redis("SET", name, redis("GET", other))
        assert ask(pair.reader, 0).token not in others | {before}
        assert pair.refused("seal") == number
        assert pair.reader.delete_token("a").status == 204


def put_list(redis, name):
    redis("RPUSH", name, "x")


def put_set(redis, name):
    redis("SADD", name, "x")


def put_sorted_set(redis, name):
    redis("ZADD", name, 1, "x")


def put_hash(redis, name):
    redis("HSET", name, "x", "y")


def put_stream(redis, name):
    redis("XADD", name, "*", "x", "y")


def put_number(redis, name):
    redis("SET", name, 1)


def put_giant(redis, name):
    redis("SETRANGE", name, 100_000_000, "x")


everything = pytest.mark.parametrize("put", [put_list, put_set, put_sorted_set, put_hash, put_stream, put_number, put_giant])


@everything
def test_what_is_no_entry_under_its_name_is_overwritten(pair, redis, put):
    name, before = pair.entry(0)
    redis("DEL", name)
    put(redis, name)
    memory = pair.reader.memory()
    after = ask(pair.reader, 0).token
    assert after != before
    assert is_sanitized() or pair.reader.memory() - memory < 8 << 20
    until(lambda: redis("TYPE", name) == b"string" and 20 < redis("STRLEN", name) < 1000)
    assert ask(pair.start(), 0).token == after
    assert is_up(pair.reader)


@everything
def test_what_is_no_lease_under_its_name_delays_nobody(pair, redis, put):
    name, _ = pair.entry(0)
    redis("DEL", name)
    put(redis, name + ":lease")
    answer, duration = timed(lambda: ask(pair.reader, 0))
    assert answer.status == 200 and duration < slack
    assert is_up(pair.reader)
    # The entry is written all the same, so that the next one need not wait.
    until(lambda: redis("EXISTS", name))
    after, duration = timed(lambda: ask(pair.start(), 0).token)
    assert after == answer.token and duration < slack
    assert len(pair.reader.events("shared_cache_refused")) <= 1


@pytest.mark.parametrize("last, until_when", [(["PERSIST"], []), (["PEXPIRE"], [10 ** 9])], ids=["for ever", "for long"])
def test_a_lease_that_was_made_to_last_delays_nobody(pair, redis, authorization_server, gate, last, until_when):
    name, _ = pair.entry(0)
    redis("DEL", name)
    authorization_server.script(gated(gate, token()))
    pair.writer.delete_token("a")
    with pair.writer.connect() as waiting:
        waiting.send_request("GET", "/v1/tokens/a?audience=number-0")
        until(lambda: redis("EXISTS", name + ":lease") and authorization_server.count == 2)
        pair.writer.expected_status = -9
        pair.writer.process.kill()
    until(lambda: redis(*last, name + ":lease", *until_when))
    answer, duration = timed(lambda: ask(pair.reader, 0))
    assert answer.status == 200 and duration < slack


def test_what_redis_says_of_time_shortens_and_never_lengthens(pair, redis):
    def left_at_reader(number, change):
        name, shared = pair.entry(number)
        change(name)
        document = ask(pair.reader, number).json()
        assert document["access_token"] == shared
        return document["expires_in"]

    assert 3590 <= left_at_reader(0, lambda name: redis("PERSIST", name)) <= 3600
    assert 3590 <= left_at_reader(1, lambda name: redis("PEXPIRE", name, 10 ** 12)) <= 3600
    assert 495 <= left_at_reader(2, lambda name: redis("PEXPIRE", name, 500_000)) <= 500


@pytest.mark.parametrize("prolong", [("PERSIST",), ("PEXPIRE", 10 ** 12)], ids=["no end", "a late end"])
def test_an_entry_that_was_put_back_after_its_end_is_not_used(pair, redis, authorization_server, prolong):
    authorization_server.otherwise = token(expires_in=2)
    name, before = pair.entry(0)
    kept = redis("GET", name)
    time.sleep(2.1)
    redis("SET", name, kept)
    redis(prolong[0], name, *prolong[1:])
    assert ask(pair.reader, 0).token != before


def test_a_rejected_token_that_was_put_back_is_used_by_nobody_who_knows(pair, redis, authorization_server):
    name, _ = pair.entry(0)
    kept = redis("GET", name)
    version = ask(pair.reader, 0).json()["version"]
    members = {"audience": "number-0", "rejected": version}
    replaced = pair.reader.post_token("a", **members).json()
    assert replaced["version"] != version and authorization_server.count == 2
    until(lambda: redis("GET", name) != kept and name + ":lease" not in redis.names())
    redis("SET", name, kept)
    # Who still has the old one and is told so does not take it again; who has the new one keeps it.
    assert pair.writer.post_token("a", **members).json()["version"] != version
    assert ask(pair.reader, 0).json()["version"] == replaced["version"]
    assert authorization_server.count == 3
    until(lambda: redis("GET", name) != kept)


@pytest.mark.parametrize("command", ["getrange", "pttl", "set", "eval", "del"])
def test_a_user_without_one_of_the_commands_is_told_and_goes_on(directory, start_daemon, authorization_server, command):
    redis = RedisServer()
    try:
        pair = Pair(directory, redis, authorization_server, start_daemon)
        redis("ACL", "SETUSER", "default", "-" + command)
        for number in range(5):
            for daemon in (pair.writer, pair.reader):
                answer, duration = timed(lambda: ask(daemon, number))
                assert answer.status == 200 and duration < slack + (2 if command == "eval" else 0)
        assert pair.writer.delete_token("a").status == 204
        assert is_up(pair.reader)
        operations = {"getrange": "look_up", "set": "lease", "eval": "write", "del": "delete"}
        if command != "pttl":  # without it, what is inside the seal says how long
            until(lambda: pair.writer.metric("grantd_shared_cache_operations_total", operation=operations[command],
                                             result="refused") >= 1)
            assert state_of(pair.writer)[1].startswith("Redis answered ")
        else:
            assert authorization_server.count == 5
        lines = pair.writer.events("shared_cache_refused")
        # A script that may not do it fails with another code than a command.
        assert all(re.search("code=(NOPERM|ERR) ", line) for line in lines)
        assert len(lines) == len(set(lines)) <= 4  # the operations
    finally:
        redis.close()


def test_a_replica_gives_what_its_primary_has_and_takes_nothing(directory, start_daemon, authorization_server):
    primary = RedisServer(repl_diskless_sync_delay=0)
    replica = RedisServer(replicaof=f"127.0.0.1 {primary.port}")
    try:
        pair = Pair(directory, primary, authorization_server, start_daemon)
        at_replica = start_daemon(pair.sharing.configuration(shared=replica.url, timeout="2s"))
        name, before = pair.entry(0)
        until(lambda: replica("EXISTS", name))
        assert ask(at_replica, 0).token == before and authorization_server.count == 1
        for number in range(1, 5):
            assert ask(at_replica, number).status == 200
        state, error = state_of(at_replica)
        assert state == "up" and "READONLY" in error
        assert 1 <= len(at_replica.events("shared_cache_refused")) <= 2
    finally:
        replica.close()
        primary.close()
