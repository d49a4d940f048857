"""Who may use what, by the kernel's word on who opened the connection."""

import grp
import os
import stat

import pytest

from grantd import api, client, until
from problems import assert_problem

pytestmark = pytest.mark.root

alice, bob, carol = 70001, 70002, 70003
staff, guests = 80001, 80002


def serve(start_daemon, server, keys, **more):
    return start_daemon({"daemon": {"socket_mode": "0666"} | more.pop("daemon", {}),
                         "clients": {"a": client(server, **keys)}} | more)


def test_a_definition_without_rules_serves_whoever_can_open_the_socket(start_daemon, authorization_server):
    daemon = serve(start_daemon, authorization_server, {})
    assert {daemon.get_token("a", uid=uid).status for uid in (0, alice, 65534)} == {200}


def test_allow_users_takes_ids_and_names(start_daemon, authorization_server):
    daemon = serve(start_daemon, authorization_server, {"allow_users": [str(alice), "nobody"]})
    assert daemon.get_token("a", uid=alice).status == 200
    assert daemon.get_token("a", uid=65534).status == 200
    for uid in (bob, 0):
        assert_problem(daemon.get_token("a", uid=uid), "access_denied", client="a")
    assert authorization_server.count == 1


def test_allow_groups_takes_primary_and_supplementary_groups(start_daemon, authorization_server):
    named = grp.getgrnam("daemon")
    daemon = serve(start_daemon, authorization_server, {"allow_groups": [str(staff), "daemon"]})
    assert daemon.get_token("a", uid=alice, gid=staff).status == 200
    assert daemon.get_token("a", uid=alice, groups=[guests, staff]).status == 200
    assert daemon.get_token("a", uid=alice, groups=[named.gr_gid]).status == 200
    assert_problem(daemon.get_token("a", uid=alice, gid=guests, groups=[guests]), "access_denied")
    assert_problem(daemon.get_token("a", uid=staff, gid=guests), "access_denied")  # a uid is no gid


def test_an_entry_of_either_list_admits(start_daemon, authorization_server):
    daemon = serve(start_daemon, authorization_server, {"allow_users": [str(alice)], "allow_groups": [str(staff)]})
    assert daemon.get_token("a", uid=alice).status == 200
    assert daemon.get_token("a", uid=bob, gid=staff).status == 200
    assert_problem(daemon.get_token("a", uid=carol), "access_denied")


def test_an_empty_list_admits_nobody(start_daemon, authorization_server):
    daemon = serve(start_daemon, authorization_server, {"allow_users": []})
    for uid in (0, alice):
        assert_problem(daemon.get_token("a", uid=uid), "access_denied")


def test_every_route_of_a_definition_is_closed_to_those_who_may_not_use_it(start_daemon, authorization_server,
                                                                           api_server):
    daemon = serve(start_daemon, authorization_server, {"allow_users": [str(alice)]},
                   apis={"x": api(api_server, "a")})
    assert_problem(daemon.get_token("a", uid=bob), "access_denied")
    assert_problem(daemon.post_token("a", uid=bob), "access_denied")
    assert_problem(daemon.delete_token("a", uid=bob), "access_denied")
    assert daemon.get("/v1/clients/a", uid=bob).status in (403, 404)
    assert daemon.clients(uid=bob) == {}
    assert daemon.get("/v1/apis", uid=bob).json() == {"apis": []}
    refused = daemon.call("x", "/", uid=bob)
    assert_problem(refused, "access_denied")
    assert refused.header("Grantd-Error") == "access_denied"
    assert authorization_server.count == 0 and api_server.count == 0
    assert set(daemon.clients(uid=alice)) == {"a"}
    assert len(daemon.get("/v1/apis", uid=alice).json()["apis"]) == 1


def test_api_and_client_must_both_admit(start_daemon, authorization_server, api_server):
    daemon = serve(start_daemon, authorization_server, {"allow_users": [str(alice), str(bob)]},
                   apis={"x": api(api_server, "a", allow_users=[str(alice), str(carol)])})
    assert daemon.call("x", "/", uid=alice).status == 200
    for uid in (bob, carol):
        assert_problem(daemon.call("x", "/", uid=uid), "access_denied")
    assert daemon.get_token("a", uid=bob).status == 200


def test_administrators_see_every_client_and_may_reload(start_daemon, authorization_server):
    daemon = serve(start_daemon, authorization_server, {"allow_users": [str(alice)]},
                   daemon={"admin_users": [str(bob)]})
    assert set(daemon.clients(uid=bob)) == {"a"}
    assert_problem(daemon.get_token("a", uid=bob), "access_denied")  # to see is not to use
    assert daemon.reload(uid=bob).status == 204
    assert daemon.reload(uid=0).status == 204  # the daemon's own user
    for uid in (alice, carol):
        assert_problem(daemon.reload(uid=uid), "access_denied")


def test_who_opened_the_connection_counts_and_not_who_uses_it(start_daemon, authorization_server):
    daemon = serve(start_daemon, authorization_server, {"allow_users": [str(alice)]})
    with daemon.connect(uid=alice) as passed_on:  # used by this process, which is root
        assert passed_on.request("GET", "/v1/tokens/a").status == 200


def test_a_refusal_is_logged_with_the_callers_identity(start_daemon, authorization_server):
    daemon = serve(start_daemon, authorization_server, {"allow_users": []})
    daemon.get_token("a", uid=alice)
    daemon.stop()
    assert f"uid={alice}" in daemon.log()


def test_the_sockets_mode_and_group_are_as_configured(start_daemon, authorization_server):
    group = grp.getgrnam("daemon")
    daemon = start_daemon({"daemon": {"socket_mode": "0620", "socket_group": "daemon"},
                           "clients": {"a": client(authorization_server)}})
    status = daemon.socket.stat()
    assert stat.S_IMODE(status.st_mode) == 0o620 and status.st_gid == group.gr_gid
    with pytest.raises(PermissionError):
        daemon.get("/healthz", uid=alice)
    assert daemon.get("/healthz", uid=alice, groups=[group.gr_gid]).status == 200


def test_the_sockets_default_mode_keeps_others_out_whatever_the_umask(start_daemon, authorization_server):
    before = os.umask(0)
    try:
        daemon = start_daemon({"clients": {"a": client(authorization_server)}})
    finally:
        os.umask(before)
    assert stat.S_IMODE(daemon.socket.stat().st_mode) == 0o660


def test_a_refusal_is_logged_on_either_way(start_daemon, authorization_server, api_server):
    daemon = serve(start_daemon, authorization_server, {"allow_users": [str(alice)], "scope": "x"},
                   apis={"p": api(api_server, "a")})
    daemon.get_token("a", uid=bob)
    daemon.call("p", "/", uid=bob)
    daemon.call("p", "/", headers=[("Grantd-Scope", "beyond")], uid=alice)
    lines = until(lambda: len(found := daemon.events("access_denied")) == 3 and found)
    assert [line.split()[1] for line in lines] == ["client=a", "api=p", "api=p"]
    assert [f"uid={bob}" in line for line in lines] == [True, True, False]


def test_the_first_hand_out_of_a_token_to_a_user_is_logged(start_daemon, authorization_server):
    daemon = start_daemon({"daemon": {"socket_mode": "0666"},
                           "clients": {"a": client(authorization_server, scope="read write")}})
    given = daemon.get_token("a", uid=alice).json()
    for uid in (alice, bob, alice, bob):
        daemon.get_token("a", uid=uid)
    renewed = daemon.post_token("a", uid=alice, force_renewal=True).json()
    lines = until(lambda: len(found := daemon.events("token_handed_out")) >= 3 and found)
    assert len(lines) == 3
    for line, uid, token in zip(lines, (alice, bob, alice), (given, given, renewed)):
        assert " client=a pid=" in line and f" uid={uid} unit=" in line
        assert f' scope="read write" fingerprint={token["version"]}' in line
        assert token["access_token"] not in line
    metrics = daemon.get("/metrics").body.decode()
    assert 'grantd_audit_events_total{event="token_handed_out"} 3' in metrics


def test_calls_through_the_proxy_hand_no_token_out(start_daemon, authorization_server, api_server):
    daemon = serve(start_daemon, authorization_server, {"allow_users": [str(alice)]}, apis={"p": api(api_server, "a")})
    assert daemon.call("p", "/", uid=alice).status == 200
    daemon.get_token("a", uid=alice)
    [line] = until(lambda: daemon.events("token_handed_out"))
    assert f"uid={alice}" in line
