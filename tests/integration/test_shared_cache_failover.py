"""What changes under a daemon that shares: the server behind an address, the line to it, and its own configuration."""

import threading
import time

import pytest

from grantd import until
from redis_front import RedisFront
from redis_relay import RedisRelay
from redis_server import RedisServer
from shared_cache import entry_names, is_up, state_of


@pytest.fixture
def redis():
    server = RedisServer()
    yield server
    server.close()


def version(answer):
    assert answer.status == 200
    return answer.json()["version"]


def test_a_token_refused_by_an_api_is_not_taken_by_a_daemon_that_never_had_it(start_daemon, sharing, redis, authorization_server):
    first, second = (start_daemon(sharing.configuration()) for _ in range(2))
    refused = version(first.get_token("a"))
    entry_names(redis)
    renewed = version(second.post_token("a", rejected=refused))
    assert renewed != refused and authorization_server.count == 2
    entry_names(redis)
    assert version(first.post_token("a", rejected=refused)) == renewed and authorization_server.count == 2


def test_after_a_failover_that_cuts_no_connection_the_new_primary_is_found(directory, start_daemon, sharing, redis):
    address = directory / "primary.sock"
    address.symlink_to(redis.socket)
    sharing.cache["shared"] = f"redis+unix://{address}"
    sharing.clients["a"]["max_provoked_requests"] = 1000
    daemon = start_daemon(sharing.configuration())
    daemon.get_token("a")
    entry_names(redis)
    successor = RedisServer()
    try:
        redis("REPLICAOF", "127.0.0.1", str(successor.port))
        until(lambda: b"master_link_status:up" in redis("INFO", "replication"))
        address.unlink()
        address.symlink_to(successor.socket)
        # The first write meets the old one.
        until(lambda: daemon.post_token("a", force_renewal=True).status == 200 and successor.names())
        until(lambda: state_of(daemon) == ("up", None))
    finally:
        successor.close()


def test_a_delete_is_answered_though_its_store_goes_with_a_reload(start_daemon, sharing, redis):
    daemon = start_daemon(sharing.configuration(timeout="5s"))
    daemon.get_token("a")
    entry_names(redis)
    answers = []
    deleting = threading.Thread(target=lambda: answers.append(daemon.delete_token("a").status))
    redis.pause()
    try:
        deleting.start()
        time.sleep(0.3)
        assert not answers
        daemon.configure(sharing.configuration(timeout="4s"))
        assert daemon.reload().status == 204
        deleting.join(3)
        assert answers == [204]
    finally:
        redis.resume()
        deleting.join()


class ForgetfulLine(RedisFront):
    """Passes nothing any more on connections that were there before `forget`, and closes none."""

    def __init__(self, redis):
        self.generation = 0
        super().__init__(redis, self._pass)

    def forget(self):
        self.generation += 1

    def _pass(self, connection, upstream):
        generation = self.generation

        def carry(source, destination):
            with source:
                while piece := source.recv(65536):
                    if generation == self.generation:
                        destination.sendall(piece)

        for way in ((connection, upstream), (upstream, connection)):
            threading.Thread(target=carry, args=way, daemon=True).start()


def test_a_line_that_forgets_connections_is_found_out_at_the_first_use(start_daemon, sharing, redis, authorization_server):
    line = ForgetfulLine(redis)
    try:
        sharing.cache["shared"] = line.url
        daemon, other = start_daemon(sharing.configuration()), start_daemon(sharing.configuration())
        daemon.get_token("a")
        entry_names(redis)
        line.forget()
        assert other.get_token("a").status == 200 and authorization_server.count == 1  # over a new connection
        assert daemon.post_token("a", force_renewal=True).status == 200
        until(lambda: daemon.events("shared_cache_down"))
        down = time.monotonic()
        until(lambda: is_up(daemon))
        assert time.monotonic() - down < 0.9  # a server that is away is left alone for a second
    finally:
        line.close()


def test_a_lease_whose_answer_came_too_late_holds_nobody_up_for_long(start_daemon, sharing, redis, authorization_server):
    late = []

    def change(words, reply):
        if words[0] == b"SET" and b"NX" in words and late:
            return [late.pop(), reply]
        return reply

    relay = RedisRelay(redis, change)
    try:
        sharing.clients["a"]["allow_overrides"] = ["audience"]
        near = start_daemon(sharing.configuration())
        sharing.cache["shared"] = relay.url
        hit = start_daemon(sharing.configuration())
        for daemon in (near, hit):  # connections are open
            daemon.get_token("a", "audience=first")
        entry_names(redis)
        late.append(0.4)
        assert hit.get_token("a", "audience=second").status == 200
        began = time.monotonic()
        assert near.get_token("a", "audience=second").status == 200
        assert time.monotonic() - began < 1.3  # the lease lasts two seconds
    finally:
        relay.close()


def test_where_an_entry_may_not_be_measured_none_is_overwritten(start_daemon, sharing, redis):
    redis("ACL", "SETUSER", "default", "-strlen")
    daemon = start_daemon(sharing.configuration())
    assert daemon.get_token("a").status == 200
    until(lambda: state_of(daemon)[1])
    assert [name for name in redis.names() if not name.endswith(":lease")] == []


def test_a_daemon_that_waits_for_a_lease_stops_at_once(start_daemon, sharing, redis):
    asked = threading.Event()

    def change(words, reply):
        if words[0] == b"SET" and b"NX" in words:
            asked.set()
            return [2, reply]
        return reply

    relay = RedisRelay(redis, change)
    try:
        sharing.cache["shared"] = relay.url
        sharing.clients["a"]["prefetch"] = True
        daemon = start_daemon(sharing.configuration(timeout="5s"))
        assert asked.wait(5)
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < 1.5
    finally:
        relay.close()
