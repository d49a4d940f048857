"""A fleet of real daemons with the same definitions, a real Redis and a real authorization server: whatever happens to all of
them at once costs one token request for each key. What was counted stands in a table."""

import time

import pytest

from api_server import ApiServer
from conftest import real_client
from fleet import Clients, Fleet, Table, client_count, closing_all, daemon_count, tokens_by_name
from grantd import api, client, until
from real_authorization_server import RealAuthorizationServer
from redis_server import RedisServer
from shared_cache import new_key

pytestmark = pytest.mark.xdist_group("fleet")

scopes = ["catalog", "invoices", "catalog.read"]
brief = 4  # seconds that tokens of brief clients live
ahead = 2  # seconds that a renewal begins ahead of expiry


def keys(kind):
    return [f"{kind}.{number}" for number in range(len(scopes))]


class Surroundings:
    """Each kind of client is asked for by one test alone, so that none depends on another."""

    def __init__(self, add, directory):
        self.redis = add(RedisServer())
        lifetimes = {"cold": 600, "idle": brief, "busy": brief, "storm": 600, "rolling": 600}
        registered = [real_client(name, ttl=lifetime) for kind, lifetime in lifetimes.items() for name in keys(kind)]
        self.server = add(RealAuthorizationServer(registered))
        self.api = add(ApiServer())
        key_file = directory / "cache-keys"
        key_file.write_text(new_key() + "\n")
        definitions = {
            known["client_id"]: client(self.server, client_id=known["client_id"], client_secret=known["client_secret"],
                                       scope=scopes[int(known["client_id"][-1])], refresh_before_expiry=f"{ahead}s",
                                       max_provoked_requests=100_000)
            for known in registered}
        # The load of this test starves Redis of the processor now and then; the timeout is another test's matter.
        self.fleet = add(Fleet({
            "clients": definitions, "apis": {name: api(self.api, name) for name in keys("storm")},
            "cache": {"shared": self.redis.url, "key_file": key_file, "timeout": "5s"}}))
        self.clients = add(Clients())
        self.table = Table(f"{daemon_count} daemons, {client_count} client processes, {len(scopes)} keys, one Redis, "
                           "one authorization server (oidc-provider)")

    def requests(self, kind):
        return {name: self.server.token_requests(name) for name in keys(kind)}

    def burst(self, what, kind, calls=None):
        """All clients ask all daemons for all keys at once; what that cost, and the answers."""
        before, began = self.requests(kind), time.monotonic()
        answers = self.clients.run(calls or self.fleet.calls(keys(kind)))
        cost = {name: count - before[name] for name, count in self.requests(kind).items()}
        self.table.row(what, cost, answers, time.monotonic() - began)
        return cost, answers


@pytest.fixture(scope="module")
def around(tmp_path_factory):
    with closing_all() as add:
        yield Surroundings(add, tmp_path_factory.mktemp("fleet"))


def once(kind):
    return dict.fromkeys(keys(kind), 1)


def never(kind):
    return dict.fromkeys(keys(kind), 0)


def assert_one_token_each(answers):
    found = tokens_by_name(answers)
    assert {name: len(tokens) for name, tokens in found.items()} == dict.fromkeys(found, 1)
    return {name: tokens.pop() for name, tokens in found.items()}


def test_a_cold_start_causes_one_request_for_each_key(around):
    cost, answers = around.burst("cold start", "cold")
    assert cost == once("cold")
    for name, token in assert_one_token_each(answers).items():
        assert around.server.introspect(token, name)["active"]
    assert around.fleet.metric("grantd_tokens_served_total", client="cold.0", source="shared") >= daemon_count - 1


def test_tokens_that_nobody_used_until_they_had_expired_cost_one_request_for_each_key(around):
    cost, first = around.burst("before expiry", "idle")
    assert cost == once("idle")
    # They were used once, so one of the fleet renews them ahead of expiry; that one nobody uses.
    until(lambda: around.requests("idle") == dict.fromkeys(keys("idle"), 2))
    time.sleep(brief + 0.5)
    cost, second = around.burst("expiry, nobody having asked meanwhile", "idle")
    assert cost == once("idle")
    before, after = assert_one_token_each(first), assert_one_token_each(second)
    assert all(before[name] != after[name] for name in before)
    assert around.requests("idle") == dict.fromkeys(keys("idle"), 3)


def test_tokens_in_use_are_renewed_ahead_of_expiry_once_for_the_fleet(around):
    began = time.monotonic()
    around.clients.begin(around.fleet.calls(keys("busy")), pause=0.05)
    time.sleep(2 * brief)
    answers = [answer for answers in around.clients.end() for answer in answers]
    while True:  # until no renewal fell into the last look at every daemon
        counted = around.requests("busy")
        answers += around.clients.run(around.fleet.calls(keys("busy")))
        if around.requests("busy") == counted:
            break
    took = time.monotonic() - began
    around.table.row(f"renewal ahead of expiry, in use for {2 * brief} s", counted, answers, took)
    tokens = tokens_by_name(answers)
    assert counted == {name: len(found) for name, found in tokens.items()}
    # As often as one machine alone would.
    assert all(took / brief <= count <= took / (brief - ahead) + 1 for count in counted.values())


def test_an_api_that_refuses_the_token_everywhere_causes_one_request_for_each_key(around):
    _, answers = around.burst("before the storm of 401s", "storm")
    before = assert_one_token_each(answers)
    versions = {answer.name: answer.version for answer in answers}
    for name, token in before.items():
        around.server.revoke(token, name)
    around.api.refused.update(before.values())
    through_the_proxy = around.fleet.calls(keys("storm"), target="/v1/proxy/{name}/orders")
    by_rejecting = around.fleet.calls(keys("storm"), "POST", body=lambda name: {"rejected": versions[name]})
    cost, answers = around.burst("storm of 401s, half through the proxy", "storm", through_the_proxy + by_rejecting)
    assert cost == once("storm")
    assert all(answer.status == 200 for answer in answers)
    after = assert_one_token_each(answer for answer in answers if answer.token)
    assert all(around.server.introspect(token, name)["active"] for name, token in after.items())
    assert set(around.api.tokens) == set(before.values()) | set(after.values())
    # Every daemon met the 401: in the proxy, or somebody told it before a call of the proxy came.
    cost, answers = around.burst("after the storm", "storm")
    assert cost == never("storm") and assert_one_token_each(answers) == after


def test_a_rolling_restart_causes_no_request(around):
    cost, first = around.burst("before the rolling restart", "rolling")
    assert cost == once("rolling")
    began = time.monotonic()
    around.clients.begin(around.fleet.calls(keys("rolling")), pause=0.05, patient=True)
    for daemon in around.fleet.daemons:
        assert daemon.stop() == 0
        daemon.start()
    answers = [answer for answers in around.clients.end() for answer in answers]
    answers += around.clients.run(around.fleet.calls(keys("rolling")))
    around.table.row("rolling restart, all asking", {name: count - 1 for name, count in around.requests("rolling").items()},
                     answers, time.monotonic() - began)
    assert around.requests("rolling") == once("rolling")
    assert assert_one_token_each(answers) == assert_one_token_each(first)
