"""What callers get while the token is fresh, due, expired or refused: one request for many, and never a dead token."""

import json
import threading
import time

import pytest

from authorization_server import answer, delayed, gated, new_token, oauth_error, token
from grantd import client, until
from problems import assert_problem


def one(server, **keys):
    return {"clients": {"a": client(server, **keys)}}


def ask_at_once(daemon, count, send):
    """`count` callers on connections of their own. All of them have been heard when this returns: the daemon reads in
    the order in which things come, and another request went all the way behind theirs, twice for the daemon's turns."""
    connections = [daemon.connect() for _ in range(count)]
    last = daemon.connect()
    for connection in [*connections, last]:
        connection.send_request("GET", "/healthz")
        assert connection.read_response().status == 200
    for connection in connections:
        send(connection)
    for _ in range(2):
        last.send_request("POST", "/v1/tokens/unknown", body=b"{}")
        assert last.read_response().status == 404
    last.close()
    return connections


def answers(connections):
    responses = [connection.read_response() for connection in connections]
    for connection in connections:
        connection.close()
    return responses


@pytest.mark.stampede
def test_a_thousand_callers_of_a_missing_token_cause_one_request(start_daemon, authorization_server, gate):
    authorization_server.otherwise = gated(gate, token())
    daemon = start_daemon(one(authorization_server))
    connections = ask_at_once(daemon, 1000, lambda c: c.send_request("GET", "/v1/tokens/a"))
    until(lambda: authorization_server.count == 1)
    gate.set()
    responses = answers(connections)
    assert {response.status for response in responses} == {200}
    assert len({response.token for response in responses}) == 1
    assert authorization_server.count == 1


@pytest.mark.stampede
def test_a_thousand_callers_of_an_expired_token_cause_one_request(start_daemon, authorization_server):
    authorization_server.script(token(expires_in=1))
    daemon = start_daemon(one(authorization_server))
    first = daemon.get_token("a")
    authorization_server.otherwise = delayed(0.3, token())
    until(lambda: daemon.clients()["a"].get("expires_in") in (None, 0) or None, timeout=3)
    time.sleep(max(0, 1.05 - (time.monotonic() - authorization_server.requests[0].time)))
    connections = ask_at_once(daemon, 1000, lambda c: c.send_request("GET", "/v1/tokens/a"))
    responses = answers(connections)
    assert {response.status for response in responses} == {200}
    tokens = {response.token for response in responses}
    assert len(tokens) == 1 and first.token not in tokens
    assert authorization_server.count == 2


@pytest.mark.stampede
def test_a_thousand_processes_that_meet_the_same_401_cause_one_request(start_daemon, authorization_server, gate):
    daemon = start_daemon(one(authorization_server))
    version = daemon.get_token("a").json()["version"]
    authorization_server.otherwise = gated(gate, token())
    body = json.dumps({"rejected": version}).encode()
    connections = ask_at_once(daemon, 1000, lambda c: c.send_request("POST", "/v1/tokens/a", body=body))
    until(lambda: authorization_server.count == 2)
    gate.set()
    responses = answers(connections)
    assert {response.status for response in responses} == {200}
    assert len({response.token for response in responses}) == 1
    late = daemon.post_token("a", rejected=version)  # the newer one is there already
    assert late.token == responses[0].token
    assert authorization_server.count == 2


@pytest.mark.stampede
def test_forced_renewals_at_once_share_a_request(start_daemon, authorization_server, gate):
    daemon = start_daemon(one(authorization_server, max_provoked_requests=1000))
    daemon.get_token("a")
    authorization_server.otherwise = gated(gate, token())
    body = json.dumps({"force_renewal": True}).encode()
    connections = ask_at_once(daemon, 200, lambda c: c.send_request("POST", "/v1/tokens/a", body=body))
    until(lambda: authorization_server.count == 2)
    gate.set()
    assert {response.status for response in answers(connections)} == {200}
    assert authorization_server.count == 3  # the first asked for itself, all others while its request ran


@pytest.mark.stampede
def test_callers_that_fail_together_cause_one_request(start_daemon, authorization_server, gate):
    authorization_server.otherwise = gated(gate, oauth_error("invalid_client", 401))
    daemon = start_daemon(one(authorization_server))
    connections = ask_at_once(daemon, 300, lambda c: c.send_request("GET", "/v1/tokens/a"))
    until(lambda: authorization_server.count == 1)
    gate.set()
    assert {response.code for response in answers(connections)} == {"token_request_rejected"}
    assert authorization_server.count == 1


def test_a_caller_that_goes_away_does_not_cancel_the_others_request(start_daemon, authorization_server, gate):
    authorization_server.otherwise = gated(gate, token())
    daemon = start_daemon(one(authorization_server))
    leaving, staying = ask_at_once(daemon, 2, lambda c: c.send_request("GET", "/v1/tokens/a"))
    until(lambda: authorization_server.count == 1)
    leaving.close()
    gate.set()
    assert staying.read_response().status == 200
    assert authorization_server.count == 1
    staying.close()


def test_a_request_whose_only_caller_left_still_fills_the_cache(start_daemon, authorization_server, gate):
    authorization_server.otherwise = gated(gate, token())
    daemon = start_daemon(one(authorization_server))
    [caller] = ask_at_once(daemon, 1, lambda c: c.send_request("GET", "/v1/tokens/a"))
    until(lambda: authorization_server.count == 1)
    caller.close()
    gate.set()
    assert daemon.get_token("a").status == 200
    assert authorization_server.count == 1


def test_a_token_past_its_renewal_time_is_given_at_once_while_one_renewal_runs(start_daemon, authorization_server,
                                                                               gate):
    authorization_server.script(token(expires_in=4))
    authorization_server.otherwise = gated(gate, token())
    daemon = start_daemon(one(authorization_server, refresh_before_expiry="3s"))  # never before half the lifetime
    first = daemon.get_token("a").token
    until(lambda: daemon.get_token("a").token == first and authorization_server.count == 2, timeout=3.5)
    assert 1.9 <= authorization_server.intervals()[0] <= 3.0
    started = time.monotonic()
    assert daemon.get_token("a").token == first
    assert time.monotonic() - started < 0.5
    assert daemon.clients()["a"]["state"] == "renewing"
    gate.set()
    until(lambda: daemon.get_token("a").token != first)
    assert authorization_server.count == 2


def test_a_token_nobody_used_lapses(start_daemon, authorization_server):
    authorization_server.script(token(expires_in=2), token(expires_in=2))
    daemon = start_daemon(one(authorization_server, refresh_before_expiry="1s"))
    daemon.get_token("a")
    until(lambda: authorization_server.count == 2, timeout=3)  # it was handed out, so it is renewed once
    time.sleep(2.5)
    assert authorization_server.count == 2  # the second was handed out to nobody
    assert daemon.get_token("a").status == 200
    assert authorization_server.count == 3


def test_prefetch_keeps_a_token_fresh_that_nobody_asks_for(start_daemon, authorization_server):
    authorization_server.otherwise = token(expires_in=2)
    daemon = start_daemon(one(authorization_server, prefetch=True, refresh_before_expiry="1s"))
    until(lambda: authorization_server.count >= 3, timeout=6)
    assert authorization_server.count <= 4
    assert daemon.get("/readyz").status == 200


def test_readiness_waits_for_every_prefetched_token(start_daemon, authorization_server, gate):
    authorization_server.otherwise = gated(gate, token())
    daemon = start_daemon(one(authorization_server, prefetch=True))
    assert daemon.get("/readyz").status == 503
    gate.set()
    until(lambda: daemon.get("/readyz").status == 200)


def test_prefetch_goes_on_until_the_server_is_there(start_daemon, authorization_server):
    """Start-up before the network is there."""
    authorization_server.script(*[answer(503)] * 3)
    daemon = start_daemon(one(authorization_server, prefetch=True))
    assert daemon.get("/readyz").status == 503
    until(lambda: daemon.get("/readyz").status == 200, timeout=15)


def test_a_failed_renewal_leaves_the_valid_token_in_use_until_it_expires(start_daemon, authorization_server):
    authorization_server.script(token(expires_in=3))
    authorization_server.otherwise = answer(503)
    daemon = start_daemon(one(authorization_server, refresh_before_expiry="2s", request_timeout="500ms"))
    first = daemon.get_token("a").token
    expiry = authorization_server.requests[0].time + 3
    while time.monotonic() < expiry - 0.3:
        assert daemon.get_token("a").token == first
        time.sleep(0.1)
    assert authorization_server.count >= 2  # a renewal was tried
    time.sleep(0.5)
    assert_problem(daemon.get_token("a"), "authorization_server_unavailable")  # never an expired token


def test_min_valid_renews_a_token_with_less_left(start_daemon, authorization_server):
    authorization_server.script(token(expires_in=100), token(expires_in=1000))
    daemon = start_daemon(one(authorization_server, refresh_before_expiry="1s"))
    first = daemon.get_token("a").token
    assert daemon.get_token("a", "min_valid=50").token == first
    assert authorization_server.count == 1
    assert daemon.get_token("a", "min_valid=200").json()["expires_in"] > 900
    assert authorization_server.count == 2


def test_the_best_there_is_is_given_where_min_valid_cannot_be_had(start_daemon, authorization_server):
    authorization_server.otherwise = token(expires_in=100)
    daemon = start_daemon(one(authorization_server, refresh_before_expiry="1s"))
    assert daemon.get_token("a", "min_valid=5000").json()["expires_in"] >= 95
    authorization_server.otherwise = answer(503)
    assert daemon.get_token("a", "min_valid=5000").status == 200


def test_force_renewal_reports_a_failure_and_keeps_the_token(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server))
    first = daemon.get_token("a").token
    authorization_server.otherwise = oauth_error("invalid_scope")
    assert_problem(daemon.post_token("a", force_renewal=True), "token_request_rejected")
    assert_problem(daemon.post_token("a", force_renewal=True), "token_request_rejected")
    assert authorization_server.count == 2  # a remembered error is not overridden
    assert daemon.get_token("a").token == first


def test_rejecting_an_older_version_costs_nothing(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server))
    old = daemon.get_token("a").json()["version"]
    new = daemon.post_token("a", rejected=old).token
    for _ in range(5):
        assert daemon.post_token("a", rejected=old).token == new
    assert authorization_server.count == 2


def test_a_replacement_that_is_rejected_again_starts_a_backoff(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server))
    version = daemon.get_token("a").json()["version"]
    for _ in range(10):
        answered = daemon.post_token("a", rejected=version)
        assert answered.status == 200  # the valid token stays in use
        version = answered.json()["version"]
    assert authorization_server.count <= 3


def test_a_rejected_token_is_given_where_no_other_can_be_had(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server))
    first = daemon.get_token("a").json()
    authorization_server.otherwise = oauth_error("invalid_client", 401)
    assert daemon.post_token("a", rejected=first["version"]).json()["version"] == first["version"]


def test_the_very_same_token_again_keeps_its_version_and_makes_no_loop(start_daemon, authorization_server):
    same, started = new_token(), time.monotonic()

    def until_it_expires(wire, request):
        left = max(1, round(5 - (time.monotonic() - started)))
        return token(access_token=same, expires_in=left)(wire, request)

    authorization_server.otherwise = until_it_expires
    daemon = start_daemon(one(authorization_server, refresh_before_expiry="4s"))
    versions = set()
    while time.monotonic() - started < 3.5:
        versions.add(daemon.get_token("a").json()["version"])
        time.sleep(0.02)
    assert len(versions) == 1
    assert authorization_server.count <= 6


def test_a_version_tells_tokens_apart_and_is_the_same_after_a_restart(start_daemon, authorization_server):
    same = new_token()
    authorization_server.otherwise = token(access_token=same)
    versions = [start_daemon(one(authorization_server)).get_token("a").json()["version"] for _ in range(2)]
    authorization_server.otherwise = token()
    versions.append(start_daemon(one(authorization_server)).get_token("a").json()["version"])
    assert versions[0] == versions[1] != versions[2]
    assert same not in versions[0]


def test_a_renewal_window_longer_than_the_lifetime_is_no_storm(start_daemon, authorization_server):
    authorization_server.otherwise = token(expires_in=4)
    daemon = start_daemon(one(authorization_server, refresh_before_expiry="1h"))
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        daemon.get_token("a")
    assert 1 <= authorization_server.count <= 3


def test_evicted_means_asked_for_anew(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server))
    first = daemon.get_token("a").token
    assert daemon.delete_token("a").status == 204
    assert daemon.clients()["a"]["state"] == "idle"
    assert daemon.get_token("a").token != first


def test_a_fetch_under_way_does_not_bring_an_evicted_token_back(start_daemon, authorization_server, gate):
    authorization_server.script(gated(gate, token()))
    daemon = start_daemon(one(authorization_server))
    [caller] = ask_at_once(daemon, 1, lambda c: c.send_request("GET", "/v1/tokens/a"))
    until(lambda: authorization_server.count == 1)
    assert daemon.delete_token("a").status == 204
    gate.set()
    first = caller.read_response()
    caller.close()
    assert first.status == 200
    assert daemon.get_token("a").token != first.token or authorization_server.count == 2


def test_remembered_errors_double_and_end_with_a_success(start_daemon, authorization_server):
    authorization_server.otherwise = oauth_error("invalid_client", 401)
    daemon = start_daemon(one(authorization_server))
    assert daemon.get_token("a").json()["retry_after"] == 1
    until(lambda: daemon.get_token("a").json()["retry_after"] == 2, timeout=3)
    assert authorization_server.count == 2
    authorization_server.otherwise = token()
    until(lambda: daemon.get_token("a").status == 200, timeout=4)
    assert authorization_server.intervals()[1] >= 1.9


def test_an_invalid_client_is_remembered_for_every_variant(start_daemon, authorization_server):
    authorization_server.otherwise = oauth_error("invalid_client", 401)
    daemon = start_daemon(one(authorization_server, scope="x y"))
    for query in ("", "scope=x", "scope=y"):
        assert_problem(daemon.get_token("a", query), "token_request_rejected")
    assert authorization_server.count == 1


def test_another_oauth_error_is_remembered_for_its_variant_alone(start_daemon, authorization_server):
    authorization_server.script(oauth_error("invalid_scope"))
    daemon = start_daemon(one(authorization_server, scope="x y"))
    assert_problem(daemon.get_token("a", "scope=x"), "token_request_rejected")
    assert_problem(daemon.get_token("a", "scope=x"), "token_request_rejected")
    assert daemon.get_token("a", "scope=y").status == 200
    assert authorization_server.count == 2


def test_one_clients_slow_server_holds_nobody_else_up(start_daemon, authorization_server, gate, in_parallel):
    from authorization_server import AuthorizationServer

    slow = AuthorizationServer()
    slow.otherwise = gated(gate, token())
    try:
        names = [f"slow{number}" for number in range(12)]
        clients = {name: client(slow, client_id=name) for name in names}
        daemon = start_daemon({"clients": clients | {"quick": client(authorization_server)}})
        waiting = [daemon.connect() for _ in names]
        for name, connection in zip(names, waiting):
            connection.send_request("GET", f"/v1/tokens/{name}")
        until(lambda: slow.count >= 1)
        started = time.monotonic()
        assert daemon.get("/healthz").status == 200
        assert daemon.get_token("quick").status == 200
        assert time.monotonic() - started < 2
        gate.set()
        assert {response.status for response in answers(waiting)} == {200}
    finally:
        slow.close()


def test_threads_asking_again_and_again_cause_one_request(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server))
    seen, guard = set(), threading.Lock()

    def ask():
        with daemon.connect() as connection:
            for _ in range(50):
                value = connection.request("GET", "/v1/tokens/a").token
                with guard:
                    seen.add(value)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 1 and authorization_server.count == 1
