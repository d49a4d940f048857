"""Redis goes away under the load of a fleet: killed, paused, held up by a script, full, restarted. Nobody who asks gets an
error, nobody waits for Redis more than once, and sharing comes back by itself."""

import threading
import time

import pytest

from conftest import real_client
from fleet import Clients, Fleet, Table, closing_all, daemon_count, tokens_by_name
from grantd import client, is_sanitized, until
from real_authorization_server import RealAuthorizationServer
from redis_server import RedisError, RedisServer
from shared_cache import is_up, new_key

pytestmark = pytest.mark.xdist_group("fleet")

# Ten times the default, so that who waited for it can be told from who waited for one of two processors, which dozens of
# programs share.
timeout = 1.0
slack = 3 if is_sanitized() else 0.8
outage = 2.5  # seconds
pause_of_redis = 4  # so that twenty clients come to most of thirty daemons, of which each costs them the timeout


@pytest.fixture(scope="module")
def add():
    with closing_all() as add:
        yield add


class Load:
    """Clients that ask all daemons for what they have and for something new each second, so that Redis is asked all the
    time."""

    has, new = "/v1/tokens/{name}", "/v1/tokens/{name}?audience=SLOT"

    def __init__(self, add, directory):
        self.redis = add(RedisServer())
        self.server = add(RealAuthorizationServer([real_client("a", ttl=600)]))
        key_file = directory / "cache-keys"
        key_file.write_text(new_key() + "\n")
        definition = client(self.server, client_id="a", client_secret=self.server.clients["a"]["client_secret"],
                            allow_overrides=["audience"], max_variants=1000, max_provoked_requests=100_000)
        self.fleet = add(Fleet({"clients": {"a": definition}, "cache": {
            "shared": self.redis.url, "key_file": key_file, "timeout": f"{int(timeout * 1000)}ms"}}))
        self.clients = add(Clients())
        self.table = Table(f"Redis goes away under load, {daemon_count} daemons, timeout {timeout} s")

    def all_up(self):
        return all(self.fleet.each(is_up))

    def refusals(self):
        return self.fleet.metric("grantd_shared_cache_operations_total", operation="lease", result="refused")

    def losses(self):
        return sum(self.fleet.each(lambda daemon: len(daemon.events("shared_cache_down"))))

    def under_load(self, happen):
        """The answers to each client while `happen` runs and until every daemon has found Redis again, and how long that
        took."""
        calls = [call | {"name": kind} for kind, target in (("has", self.has), ("new", self.new))
                 for call in self.fleet.calls(["a"], target=target)]
        self.clients.begin(calls, pause=0.04)
        time.sleep(1)
        happen(self.redis)
        over = time.monotonic()
        until(self.all_up, interval=0.1)
        back = time.monotonic() - over
        time.sleep(1)
        return self.clients.end(), back

    def requests_for(self, audience):
        """Token requests that all daemons cause who are asked for the same new thing at once."""
        before = self.server.token_requests("a")
        tokens_by_name(self.clients.run(self.fleet.calls(["a"], target=f"/v1/tokens/{{name}}?audience={audience}")))
        return self.server.token_requests("a") - before


@pytest.fixture(scope="module")
def load(add, tmp_path_factory):
    return Load(add, tmp_path_factory.mktemp("outage"))


def kill(redis):
    redis.kill()
    time.sleep(outage)
    redis.start()


def pause(redis):
    redis.pause()
    time.sleep(pause_of_redis)
    redis.resume()


def fill(redis):
    redis("CONFIG", "SET", "maxmemory", "1")
    time.sleep(outage / 2)
    redis("CONFIG", "SET", "maxmemory", "0")


def block(redis):
    """A script that does not end: Redis is silent, and says BUSY after a while."""
    redis("CONFIG", "SET", "busy-reply-threshold", "1500")
    script = threading.Thread(target=lambda: pytest.raises(RedisError, redis, "EVAL", "while true do end", "0"))
    script.start()
    time.sleep(outage)
    redis("SCRIPT", "KILL")
    script.join()


def restart(redis):
    for _ in range(2):
        redis.kill()
        redis.start()
        time.sleep(0.5)


@pytest.mark.parametrize("happen", [kill, pause, block, fill, restart])
def test_nobody_gets_an_error_or_waits_twice_and_sharing_comes_back(load, happen):
    load.clients.run(load.fleet.calls(["a"], target=load.has))
    assert load.requests_for(f"before-{happen.__name__}") == 1
    refusals, losses = load.refusals(), load.losses()
    by_client, back = load.under_load(happen)
    answers = [answer for answers in by_client for answer in answers]
    waited = [answer for answer in answers if answer.took >= 0.9 * timeout]
    slowest = max(answer.took for answer in answers)
    errors = [answer for answer in answers if answer.status != 200]
    load.table.line(f"{happen.__name__:<8} {len(answers):>5} answers, {len(errors)} errors, {len(waited):>3} waited for the "
                    f"timeout, slowest {slowest:5.3f} s, shared again after {back:4.1f} s")
    assert errors == []
    assert slowest < timeout + slack
    assert {answer.name for answer in waited} <= {"new"}  # a token that is there waits for nobody
    # Whoever waits at a daemon waits together with the first one; nobody does after them.
    for daemon in {answer.daemon for answer in waited}:
        waits = sorted((answer for answer in waited if answer.daemon == daemon), key=lambda answer: answer.began)
        assert all(answer.began < waits[0].began + timeout for answer in waits), waits
    for own in by_client:
        daemons = [answer.daemon for answer in own if answer in waited]
        assert len(daemons) == len(set(daemons)), daemons
    # Or nothing of this was tried.
    if happen is pause:
        assert len({answer.daemon for answer in waited}) > daemon_count / 2
    if happen is fill:
        assert load.refusals() - refusals > daemon_count / 2
    if happen in (kill, pause, block):
        assert load.losses() - losses > daemon_count / 2
    assert load.requests_for(f"after-{happen.__name__}") == 1
