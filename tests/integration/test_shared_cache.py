"""The cache that machines share: one token request for all of them, and nothing in Redis that anybody else could use."""

import time

import pytest

import certificates
from authorization_server import delayed, gated, oauth_error, token
from grantd import check, grantctl, until
from redis_server import RedisServer
from shared_cache import Sharing, entry_names, new_key, state_of


@pytest.fixture
def start_fleet(start_daemon, sharing):
    """Machines that know a slow Redis from a busy processor."""
    return lambda count=2, **cache: [start_daemon(sharing.configuration(**{"timeout": "1s"} | cache)) for _ in range(count)]


def test_what_one_machine_fetched_the_others_have(start_fleet, redis, authorization_server):
    first, second = start_fleet()
    mine, other = first.get_token("a").json(), second.get_token("a").json()
    assert authorization_server.count == 1
    assert {mine[key] == other[key] for key in ("access_token", "version", "scope", "token_type")} == {True}
    assert abs(mine["expires_in"] - other["expires_in"]) <= 1
    assert second.clients()["a"]["fetched"] == 0
    assert second.metric("grantd_tokens_served_total", client="a", source="shared") == 1
    assert second.metric("grantd_shared_cache_lookups_total", result="hit") == 1
    name, = entry_names(redis)
    assert name.startswith("grantd:") and mine["access_token"].encode() not in redis("GET", name)
    assert 3590_000 < redis("PTTL", name) <= 3600_000


def test_a_cold_start_causes_one_request(start_fleet, authorization_server, in_parallel):
    authorization_server.otherwise = delayed(0.5, token())
    fleet = start_fleet(4)
    answers = in_parallel(lambda daemon: daemon.get_token("a").token, fleet)
    assert len(set(answers)) == 1 and authorization_server.count == 1


def test_a_token_that_every_machine_s_api_refuses_is_renewed_once(start_fleet, authorization_server, in_parallel):
    fleet = start_fleet(4)
    version = [daemon.get_token("a").json()["version"] for daemon in fleet][0]
    authorization_server.otherwise = delayed(0.3, token())
    renewed = in_parallel(lambda daemon: daemon.post_token("a", rejected=version).json()["version"], fleet)
    assert len(set(renewed)) == 1 and renewed[0] != version
    assert authorization_server.count == 2


def test_an_expired_token_is_fetched_once(start_fleet, authorization_server, in_parallel):
    authorization_server.otherwise = token(expires_in=2)
    fleet = start_fleet(3)
    first = {daemon.get_token("a").token for daemon in fleet}
    time.sleep(2.1)
    authorization_server.otherwise = delayed(0.2, token())
    second = set(in_parallel(lambda daemon: daemon.get_token("a").token, fleet))
    assert len(first) == len(second) == 1 and first != second
    # A renewal ahead of expiry, if one came in time, was another.
    assert authorization_server.count in (2, 3)


def test_a_machine_that_starts_again_finds_the_token(start_fleet, authorization_server):
    first, second = start_fleet()
    before = first.get_token("a").token
    second.get_token("a")
    assert first.stop() == 0
    first.start()
    assert first.get_token("a").token == before
    assert authorization_server.count == 1


def test_force_renewal_asks_the_server_and_its_result_is_shared(start_fleet, start_daemon, sharing, redis,
                                                                authorization_server):
    first, second = start_fleet()
    first.get_token("a")
    entry_names(redis)
    before = redis.entries()
    forced = second.post_token("a", force_renewal=True).token
    assert authorization_server.count == 2
    until(lambda: redis.entries() != before)
    assert start_daemon(sharing.configuration()).get_token("a").token == forced
    assert authorization_server.count == 2


def test_an_evicted_token_is_gone_for_those_who_do_not_have_it(start_fleet, start_daemon, sharing, redis,
                                                               authorization_server):
    first, second = start_fleet()
    before = first.get_token("a").token
    assert second.get_token("a").token == before
    entry_names(redis)
    assert first.delete_token("a").status == 204
    assert redis.names() == []
    assert first.get_token("a").token != before
    assert authorization_server.count == 2


@pytest.mark.parametrize("change", [{"client_secret": "another secret"}, {"scope": "another"}, {"headers": {"X-Tenant": "b"}}],
                         ids=["secret", "scope", "headers"])
def test_definitions_that_differ_share_nothing(start_daemon, sharing, redis, authorization_server, change):
    start_daemon(sharing.configuration()).get_token("a")
    sharing.clients = {"a": sharing.clients["a"] | change}
    start_daemon(sharing.configuration()).get_token("a")
    assert authorization_server.count == 2
    assert len(entry_names(redis)) == 2


def test_a_holder_that_is_killed_delays_the_others_by_two_seconds_and_one_of_them_takes_its_place(
        start_fleet, authorization_server, gate, in_parallel):
    authorization_server.script(gated(gate, token()))
    first, *others = start_fleet(9)
    with first.connect() as waiting:
        waiting.send_request("GET", "/v1/tokens/a")
        until(lambda: authorization_server.count == 1)
        first.expected_status = -9
        first.process.kill()
    began = time.monotonic()
    authorization_server.otherwise = delayed(0.3, token())
    assert len(set(in_parallel(lambda daemon: daemon.get_token("a").token, others))) == 1
    assert 0.5 < time.monotonic() - began < 4
    assert authorization_server.count == 2


def test_an_error_is_everybody_s_own_and_delays_nobody(start_fleet, authorization_server, in_parallel):
    authorization_server.otherwise = oauth_error("invalid_scope")
    fleet = start_fleet(3)
    began = time.monotonic()
    codes = in_parallel(lambda daemon: daemon.get_token("a").code, fleet)
    assert codes == ["token_request_rejected"] * 3
    assert time.monotonic() - began < 2
    assert authorization_server.count == 3


def test_a_changed_secret_ends_a_remembered_error_after_an_eviction_too(start_daemon, directory, sharing, authorization_server):
    secret = directory / "secret"
    secret.write_text("old")
    definition = {key: value for key, value in sharing.clients["a"].items() if key != "client_secret"}
    daemon = start_daemon(sharing.configuration() | {"clients": {"a": definition | {"client_secret_file": secret}}})
    authorization_server.script(oauth_error("invalid_client", status=401))
    assert daemon.get_token("a").status != 200
    secret.write_text("new, and longer")
    assert daemon.delete_token("a").status == 204  # reads the secret, for the entries' names
    assert daemon.get_token("a").status == 200


def test_a_secret_that_is_changed_during_a_wait_names_no_entry_of_the_old_one(start_daemon, directory, sharing, redis, gate,
                                                                              authorization_server):
    secret = directory / "secret"
    secret.write_text("old")
    definition = {key: value for key, value in sharing.clients["a"].items() if key != "client_secret"}
    configuration = sharing.configuration() | {"clients": {"a": definition | {"client_secret_file": secret}}}
    holder, waiter, late = (start_daemon(configuration) for _ in range(3))
    authorization_server.script(gated(gate, oauth_error("invalid_scope")))
    with holder.connect() as first, waiter.connect() as second:
        first.send_request("GET", "/v1/tokens/a")
        until(lambda: authorization_server.count == 1)
        second.send_request("GET", "/v1/tokens/a")
        until(lambda: waiter.metric("grantd_shared_cache_operations_total", operation="lease", result="ok"))
        secret.write_text("new, and longer")
        gate.set()
        assert second.read_response().status == 200
    secret.write_text("old")
    assert late.get_token("a").status == 200
    assert authorization_server.count == 3


@pytest.mark.parametrize("response", [oauth_error("invalid_scope"), token(expires_in=0)], ids=["error", "not cached"])
def test_what_cannot_be_shared_makes_no_queue(start_fleet, authorization_server, in_parallel, response):
    authorization_server.otherwise = delayed(0.5, response)
    fleet = start_fleet(8)
    began = time.monotonic()
    in_parallel(lambda daemon: daemon.get_token("a"), fleet)
    assert time.monotonic() - began < 2.5  # one after the other would take four seconds
    assert authorization_server.count == 8


def test_keys_are_rotated_in_two_steps_without_a_request(start_fleet, sharing, redis, authorization_server):
    first, second = start_fleet()
    old, new = sharing.key_file.read_text().strip(), new_key()
    before = first.get_token("a").token
    sharing.write_keys(old, new)
    assert second.get_token("a").token == before
    sharing.write_keys(new, old)
    first.stop()
    first.start()
    assert first.get_token("a").token == before
    assert authorization_server.count == 1
    assert first.post_token("a", force_renewal=True).token != before
    until(lambda: len(redis.entries()) == 2)
    newer = first.get_token("a").token
    sharing.write_keys(new)
    second.stop()
    second.start()
    assert second.get_token("a").token == newer
    assert authorization_server.count == 2


def test_bound_tokens_are_shared_by_those_who_have_the_key(directory, start_daemon, redis, authorization_server):
    key = directory / "dpop.pem"
    certificates.make_private_key(key, "ES256")
    sharing = Sharing(directory, redis.url, authorization_server, dpop=True, dpop_key_file=key)
    authorization_server.otherwise = token(token_type="DPoP")
    fleet = [start_daemon(sharing.configuration()) for _ in range(2)]
    documents = [daemon.get_token("a").json() for daemon in fleet]
    assert authorization_server.count == 1
    assert {document["token_type"] for document in documents} == {"DPoP"}
    proof = fleet[1].request("POST", "/v1/dpop/a", [("Content-Type", "application/json")],
                             b'{"method": "GET", "url": "https://api.example/", "version": "%s"}'
                             % documents[1]["version"].encode())
    assert proof.status == 200 and proof.json()["dpop"]
    sharing.clients["a"].pop("dpop_key_file")
    other = [start_daemon(sharing.configuration()) for _ in range(2)]
    assert len({daemon.get_token("a").token for daemon in other}) == 2  # each has a key of its own
    assert authorization_server.count == 3


def test_status_shows_the_shared_cache(start_fleet, sharing, start_daemon):
    first, _ = start_fleet()
    assert state_of(first) == ("up", None)
    shown = grantctl("status", socket=first.socket)
    assert "\nshared cache: up\n" in shown.stdout
    alone = start_daemon({"clients": sharing.clients})
    assert "shared_cache" not in alone.get("/v1/clients").json()
    assert "shared cache" not in grantctl("status", socket=alone.socket).stdout


@pytest.mark.parametrize("content, complaint", [("", "empty"), ("short\n", "in line 1"), ("", None)],
                         ids=["empty", "no key", "missing"])
def test_unusable_keys_are_an_error_for_check_and_a_warning_for_the_daemon(start_daemon, sharing, authorization_server,
                                                                         content, complaint):
    sharing.key_file.write_text(content)
    if complaint is None:
        sharing.key_file.unlink()
    daemon = start_daemon(sharing.configuration())
    checked = check(daemon.config)
    assert checked.returncode == 78 and "cache.key_file" in checked.stderr
    assert complaint is None or complaint in checked.stderr
    assert daemon.get_token("a").status == 200
    assert state_of(daemon)[0] == "off" and daemon.events("shared_cache_off")
    sharing.write_keys(new_key())
    assert check(daemon.config).returncode == 0
    daemon.post_token("a", force_renewal=True)
    until(lambda: state_of(daemon) == ("up", None))


def test_a_reload_with_another_cache_loses_no_token_and_one_without_change_no_connection(start_daemon, sharing, redis,
                                                                                        authorization_server):
    daemon = start_daemon(sharing.configuration())
    before = daemon.get_token("a").token

    def connections():
        return {line.split()[0] for line in redis("CLIENT", "LIST").decode().splitlines() if "cmd=client" not in line}

    open_before = connections()
    assert open_before
    assert daemon.reload().status == 204
    assert connections() == open_before
    daemon.configure(sharing.configuration(prefix="other:"))
    assert daemon.reload().status == 204
    assert daemon.get_token("a").token == before
    daemon.post_token("a", force_renewal=True)
    until(lambda: redis.names("other:*"))
    daemon.configure({"clients": sharing.clients})
    assert daemon.reload().status == 204
    assert daemon.get_token("a").status == 200
    assert authorization_server.count == 2


def test_over_tcp_with_a_user_of_few_rights(directory, start_daemon, authorization_server):
    password = directory / "password"
    password.write_text("right\n")
    redis = RedisServer()
    try:
        redis("ACL", "SETUSER", "grantd", "on", ">right", "resetkeys", "~grantd:*", "resetchannels", "-@all", "+ping",
              "+select", "+getrange", "+pttl", "+set", "+eval", "+strlen", "+get", "+pexpire", "+del")
        sharing = Sharing(directory, redis.tcp_url.replace("//", "//grantd@") + "/3", authorization_server)
        fleet = [start_daemon(sharing.configuration(password_file=password)) for _ in range(2)]
        version = [daemon.get_token("a").json()["version"] for daemon in fleet][0]
        for daemon in fleet:
            daemon.post_token("a", rejected=version)
        assert authorization_server.count == 2
        assert fleet[0].delete_token("a").status == 204
        for daemon in fleet:
            assert state_of(daemon) == ("up", None), daemon.log()
            assert daemon.metric("grantd_shared_cache_operations_total", operation="write", result="refused") == 0
        assert redis("DBSIZE") == 0  # all was in database 3
    finally:
        redis.close()


def test_over_tls_the_server_s_certificate_is_checked(directory, start_daemon, authorization_server, certificate_authority,
                                                      server_certificate):
    redis = RedisServer(certificate=server_certificate, authority=certificate_authority)
    trusting = {"SSL_CERT_FILE": str(certificate_authority.certificate)}
    try:
        sharing = Sharing(directory, redis.tcp_url.replace("redis:", "rediss:"), authorization_server)
        fleet = [start_daemon(sharing.configuration(timeout="2s"), environment=trusting) for _ in range(2)]
        assert len({daemon.get_token("a").token for daemon in fleet}) == 1
        strangers = [start_daemon(sharing.configuration(timeout="2s")),
                     start_daemon(sharing.configuration(timeout="2s", shared=f"rediss://localhost:{redis.port}"),
                                  environment=trusting)]
        for stranger in strangers:
            assert stranger.get_token("a").status == 200
            state, error = state_of(stranger)
            assert state == "down" and "TLS to Redis" in error
        assert authorization_server.count == 3
    finally:
        redis.close()


def test_however_many_authorities_are_trusted_none_of_the_time_for_redis_goes_into_reading_them(
        directory, start_daemon, authorization_server, certificate_authority, server_certificate, in_parallel):
    redis = RedisServer(certificate=server_certificate, authority=certificate_authority)
    trusted = directory / "authorities.pem"
    trusted.write_text(certificate_authority.certificate.read_text() * 3000)
    try:
        sharing = Sharing(directory, redis.tcp_url.replace("redis:", "rediss:"), authorization_server)
        sharing.clients = {f"c{number}": sharing.clients["a"] | {"client_id": f"c{number}"} for number in range(20)}
        fleet = [start_daemon(sharing.configuration(timeout="500ms"), environment={"SSL_CERT_FILE": str(trusted)})
                 for _ in range(2)]
        answers = in_parallel(lambda number: fleet[number % 2].get_token(f"c{number // 2}").status, range(40), threads=40)
        assert set(answers) == {200}
        assert authorization_server.count == 20
        assert not any(daemon.events("shared_cache_down") for daemon in fleet)
    finally:
        redis.close()


def test_a_password_in_the_url_is_refused_without_being_repeated(make_daemon, sharing):
    daemon = make_daemon(sharing.configuration(shared="redis://user:hunter2@127.0.0.1:6379"))
    checked = check(daemon.config)
    assert checked.returncode == 78 and "cache.shared" in checked.stderr
    assert "hunter2" not in checked.stderr + checked.stdout
