"""The metrics: their names, their labels and that they count what happened."""

import re
import signal
import time
import urllib.error
import urllib.request

import pytest

from authorization_server import answer, hang, oauth_error, token
from grantd import api, client, new_secret, until


def test_every_metric_is_there_and_counts(start_daemon, authorization_server, api_server):
    daemon = start_daemon({"clients": {"a": client(authorization_server)}, "apis": {"x": api(api_server, "a")}})
    for _ in range(3):
        daemon.get_token("a")
    api_server.refused.add(daemon.get_token("a").token)
    assert daemon.call("x", "/").status == 200
    count = daemon.metric
    assert count("grantd_token_requests_total", client="a", result="success") == 2
    assert count("grantd_token_request_duration_seconds_count", client="a") == 2
    assert count("grantd_tokens_served_total", client="a", source="cache") >= 3
    assert count("grantd_tokens_served_total", client="a", source="fetched") >= 1
    assert 3500 <= count("grantd_token_expires_in_seconds", client="a") <= 3600
    assert count("grantd_api_requests_total", api="x", status=200) == 1
    assert count("grantd_api_retries_total", api="x", reason="401") == 1
    assert count("grantd_connections") == 1
    assert count("grantd_connections_opened_total") >= 6
    build = [dict(labels) for (name, labels) in daemon.metrics() if name == "grantd_build_info"]
    assert len(build) == 1 and re.match(r"\d+\.\d+\.\d+", build[0]["version"])


@pytest.mark.parametrize("given, result, requests", [
    (oauth_error("invalid_scope"), "oauth_error", 1), (answer(404), "http_error", 1), (answer(503), "http_error", 3),
    (answer(200, body="[]"), "invalid_response", 1), (lambda wire, request: False, "transport_error", 3),
    (hang(), "timeout", 1), (token(), "success", 1)],
    ids=["oauth error", "404", "503", "no token", "closed", "silent", "token"])
def test_token_requests_are_counted_by_result_from_zero(start_daemon, authorization_server, given, result, requests):
    authorization_server.otherwise = given
    daemon = start_daemon({"clients": {"a": client(authorization_server, request_timeout="2s")}})

    def counts():
        return {dict(labels)["result"]: value for (name, labels), value in daemon.metrics().items()
                if name == "grantd_token_requests_total"}

    zeros = dict.fromkeys(["success", "oauth_error", "http_error", "transport_error", "timeout", "invalid_response"], 0)
    assert counts() == zeros
    daemon.get_token("a")
    assert counts() == zeros | {result: requests}


def test_the_start_of_the_process_is_told(start_daemon, authorization_server):
    before = time.time()
    daemon = start_daemon({"clients": {"a": client(authorization_server)}})
    started = daemon.metric("process_start_time_seconds")
    assert before <= started <= time.time() and started % 1
    assert daemon.metric("process_start_time_seconds") == started


def test_the_limit_of_connections_and_the_count_of_reloads_follow_reloads(start_daemon, authorization_server):
    clients = {"clients": {"a": client(authorization_server)}}
    daemon = start_daemon(clients)

    def figures():
        return {(name, *(value for _, value in labels)): number for (name, labels), number in daemon.metrics().items()
                if name in ("grantd_connections_limit", "grantd_reloads_total")}

    expected = {("grantd_connections_limit",): 4096, ("grantd_reloads_total", "success"): 0,
                ("grantd_reloads_total", "refused"): 0}
    assert figures() == expected
    daemon.configure({"daemon": {"max_connections": 100}} | clients)
    assert daemon.reload().status == 204
    expected |= {("grantd_connections_limit",): 100, ("grantd_reloads_total", "success"): 1}
    assert figures() == expected
    daemon.configure({"daemon": {"max_connections": 0}} | clients)
    assert daemon.reload().status == 422
    daemon.signal(signal.SIGHUP)
    expected |= {("grantd_reloads_total", "refused"): 2}
    until(lambda: figures() == expected)


def test_a_client_is_failing_until_an_attempt_succeeds_and_gone_when_it_is_removed(make_daemon, authorization_server):
    daemon = make_daemon("")
    secret = daemon.directory / "secret"
    well = client(authorization_server)
    broken = client(authorization_server, client_secret_file=secret)
    del broken["client_secret"]
    daemon.configure({"clients": {"well": well, "broken": broken}})
    daemon.start()

    def gauges(name):
        return {dict(labels)["client"]: value for (metric, labels), value in daemon.metrics().items() if metric == name}

    assert gauges("grantd_client_failing") == {"well": 0, "broken": 0}
    for name in ("well", "broken"):
        daemon.get_token(name)
    assert gauges("grantd_client_failing") == {"well": 0, "broken": 1}
    assert set(gauges("grantd_token_expires_in_seconds")) == {"well"}
    secret.write_text(new_secret())
    assert daemon.get_token("broken").status == 200
    assert gauges("grantd_client_failing") == {"well": 0, "broken": 0}
    assert set(gauges("grantd_token_expires_in_seconds")) == {"well", "broken"}
    daemon.configure({"clients": {"well": well}})
    assert daemon.reload().status == 204
    assert set(gauges("grantd_client_failing")) == set(gauges("grantd_token_expires_in_seconds")) == {"well"}


def test_tokens_served_while_renewing_are_told_apart(start_daemon, authorization_server, gate):
    from authorization_server import gated

    authorization_server.script(token(expires_in=3))
    authorization_server.otherwise = gated(gate, token())
    daemon = start_daemon({"clients": {"a": client(authorization_server, refresh_before_expiry="2s")}})
    daemon.get_token("a")
    until(lambda: authorization_server.count == 2, timeout=3)
    assert daemon.get_token("a").status == 200
    assert daemon.metric("grantd_tokens_served_total", client="a", source="renewing") == 1


def test_the_text_is_what_prometheus_reads(start_daemon, authorization_server):
    daemon = start_daemon({"clients": {"a": client(authorization_server)}})
    daemon.get_token("a")
    text = daemon.get("/metrics").body.decode()
    assert text.endswith("\n")
    typed = dict(re.findall(r"^# TYPE (\S+) (\w+)$", text, re.M))
    assert typed["grantd_token_requests_total"] == "counter"
    assert typed["grantd_token_request_duration_seconds"] == "histogram"
    assert typed["grantd_connections"] == "gauge"
    helped = set(re.findall(r"^# HELP (\S+) \S", text, re.M))
    assert helped == set(typed)
    assert [name for name in typed if not name.startswith("grantd_")] == ["process_start_time_seconds"]
    buckets = [float(value) for value in re.findall(r'duration_seconds_bucket\{.*?\} (\S+)', text)]
    assert buckets == sorted(buckets) and buckets[-1] == 1


def test_connections_are_counted_up_and_down(start_daemon, authorization_server):
    daemon = start_daemon({"clients": {"a": client(authorization_server)}})
    connections = [daemon.connect() for _ in range(5)]
    for connection in connections:
        connection.request("GET", "/healthz")
    assert daemon.metric("grantd_connections") == 6
    for connection in connections:
        connection.close()
    until(lambda: daemon.metric("grantd_connections") == 1)


def free_port():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_metrics_and_nothing_else_are_served_over_tcp(start_daemon, authorization_server):
    port = free_port()
    daemon = start_daemon({"daemon": {"metrics_listen": f"127.0.0.1:{port}"},
                           "clients": {"a": client(authorization_server)}})
    origin = f"http://127.0.0.1:{port}"
    with urllib.request.urlopen(origin + "/metrics", timeout=10) as response:
        assert b"grantd_build_info" in response.read()
    for path in ("/v1/tokens/a", "/v1/clients", "/v1/reload", "/"):
        with pytest.raises(urllib.error.HTTPError) as failed:
            urllib.request.urlopen(origin + path, timeout=10)
        assert failed.value.code == 404
    assert authorization_server.count == 0
    assert daemon.get("/healthz").status == 200


def test_a_metrics_listener_that_is_flooded_holds_nobody_up(start_daemon, authorization_server):
    import socket

    port = free_port()
    daemon = start_daemon({"daemon": {"metrics_listen": f"127.0.0.1:{port}"},
                           "clients": {"a": client(authorization_server)}})
    flood = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(40)]
    assert daemon.get_token("a").status == 200
    for connection in flood:
        connection.close()

    def served():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
                return response.status == 200
        except OSError:
            return False

    until(served)
