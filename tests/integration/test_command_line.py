"""grantctl: each command, what it prints and how it exits."""

import json
import os
import pty
import re
import subprocess
import time

import pytest

from authorization_server import answer, gated, oauth_error, token
from grantd import api, client, control_program, grantctl, until


@pytest.fixture
def daemon(start_daemon, authorization_server, api_server):
    return start_daemon({
        "clients": {"catalog.client": client(authorization_server, scope="one two",
                                             allow_overrides=["resource", "audience"])},
        "apis": {"invoices": api(api_server, "catalog.client")},
    })


def run(daemon, *arguments, **options):
    return grantctl(*arguments, socket=daemon.socket, **options)


def test_token_prints_the_token_alone(daemon):
    result = run(daemon, "token", "catalog.client")
    assert result.returncode == 0 and result.stderr == ""
    assert result.stdout == daemon.get_token("catalog.client").token + "\n"


def test_token_prints_the_header_or_the_whole_answer(daemon):
    value = daemon.get_token("catalog.client").token
    assert run(daemon, "token", "catalog.client", "--header").stdout == f"Authorization: Bearer {value}\n"
    document = json.loads(run(daemon, "token", "catalog.client", "--json").stdout)
    assert document["access_token"] == value and document["client"] == "catalog.client"


def test_token_passes_every_wish_on(daemon, authorization_server):
    first = run(daemon, "token", "catalog.client").stdout
    wished = run(daemon, "token", "catalog.client", "--scope", "two", "--resource", "urn:x", "--resource", "urn:y",
                 "--audience", "aud", "--min-valid", "5")
    assert wished.returncode == 0
    form = authorization_server.form()
    for pair in (("scope", "two"), ("resource", "urn:x"), ("resource", "urn:y"), ("audience", "aud")):
        assert pair in form
    assert run(daemon, "token", "catalog.client", "--force-renewal").stdout != first


def test_the_socket_may_come_from_the_environment(daemon):
    result = grantctl("token", "catalog.client", environment={"GRANTD_SOCKET": str(daemon.socket)})
    assert result.returncode == 0


def test_call_prints_the_body(daemon, api_server):
    result = run(daemon, "call", "invoices", "/test?x=1")
    assert result.returncode == 0 and json.loads(result.stdout)["target"] == "/test?x=1"
    assert json.loads(run(daemon, "call", "invoices", "test").stdout)["target"] == "/test"


def test_call_sends_method_headers_and_body(daemon, directory):
    sent = run(daemon, "call", "invoices", "/t", "-X", "PUT", "-H", "X-A: b", "-H", "X-C: d", "-d", "data")
    echo = json.loads(sent.stdout)
    assert (echo["method"], echo["body"]) == ("PUT", "data")
    assert ["X-A", "b"] in echo["headers"] and ["X-C", "d"] in echo["headers"]
    (directory / "body").write_text("from a file")
    assert json.loads(run(daemon, "call", "invoices", "/t", "-d", f"@{directory}/body").stdout)["body"] == "from a file"
    posted = json.loads(run(daemon, "call", "invoices", "/t", "-d", "@-", text="from standard input").stdout)
    assert (posted["method"], posted["body"]) == ("POST", "from standard input")


def test_call_shows_the_head_with_i(daemon):
    result = run(daemon, "call", "invoices", "/t", "-i")
    head, _, body = result.stdout.replace("\r\n", "\n").partition("\n\n")
    assert re.match(r"HTTP/1\.1 200", head) and "content-type: application/json" in head.lower()
    assert json.loads(body)["target"] == "/t"


def test_call_streams(daemon, api_server, gate):
    from api_server import events

    api_server.on("/events", events([gate]))
    process = subprocess.Popen([control_program, "--socket", daemon.socket, "call", "invoices", "/events"],
                               stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"data: 0\n"  # before the second one is sent
    gate.set()
    assert process.stdout.read() == b"\ndata: 1\n\n"
    assert process.wait(10) == 0


def test_a_call_that_the_api_refuses_fails(daemon, api_server):
    from api_server import respond

    api_server.on("/missing", respond(404, [], b"no such thing"))
    result = run(daemon, "call", "invoices", "/missing")
    assert result.returncode == 1 and "no such thing" in result.stdout + result.stderr


def test_status_is_a_table_of_the_definitions(daemon):
    run(daemon, "token", "catalog.client")
    table = run(daemon, "status").stdout
    assert re.search(r"catalog\.client\s+ready\s", table) and "one two" in table
    document = json.loads(run(daemon, "status", "--json").stdout)
    assert document["clients"][0]["name"] == "catalog.client"


def test_status_watch_goes_on_until_it_is_ended(daemon):
    process = subprocess.Popen([control_program, "--socket", daemon.socket, "status", "--watch"],
                               stdout=subprocess.PIPE)
    try:
        seen = b""
        deadline = time.monotonic() + 15
        while seen.count(b"catalog.client") < 2 and time.monotonic() < deadline:
            seen += process.stdout.read1(4096)
        assert seen.count(b"catalog.client") >= 2
    finally:
        process.terminate()
        process.wait(10)


def test_evict_and_reload(daemon):
    first = run(daemon, "token", "catalog.client").stdout
    assert run(daemon, "evict", "catalog.client").returncode == 0
    assert run(daemon, "token", "catalog.client").stdout != first
    assert run(daemon, "reload").returncode == 0


def test_reload_of_a_bad_configuration_says_why(daemon):
    daemon.configure("[daemon]\nsockett = '/x'\n")
    result = run(daemon, "reload")
    assert result.returncode in (1, 78) and "sockett" in result.stderr


def test_wait_ready_returns_when_the_daemon_is(start_daemon, authorization_server, gate):
    authorization_server.otherwise = gated(gate, token())
    daemon = start_daemon({"clients": {"a": client(authorization_server, prefetch=True)}})
    assert run(daemon, "wait-ready", "--timeout", "0.3").returncode == 1
    process = subprocess.Popen([control_program, "--socket", daemon.socket, "wait-ready", "--timeout", "20"])
    time.sleep(0.2)
    assert process.poll() is None
    gate.set()
    assert process.wait(15) == 0


def test_wait_ready_waits_for_a_daemon_that_is_not_there_yet(make_daemon, authorization_server):
    daemon = make_daemon({"clients": {"a": client(authorization_server)}})
    process = subprocess.Popen([control_program, "--socket", daemon.socket, "wait-ready", "--timeout", "20"])
    time.sleep(0.2)
    daemon.start()
    assert process.wait(15) == 0


@pytest.mark.parametrize("arguments", [["token", "catalog.client"], ["status"], ["evict", "a"], ["reload"],
                                       ["call", "x", "/"], ["wait-ready", "--timeout", "0.2"]])
def test_without_a_daemon_every_command_exits_with_69(directory, arguments):
    result = grantctl(*arguments, socket=directory / "absent.sock")
    assert result.returncode in ((69, 1) if arguments[0] == "wait-ready" else (69,))
    assert result.stderr


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["token"], ["token", "a", "--nonsense"], ["call", "x"],
                                       ["token", "a", "--min-valid", "soon"], ["status", "extra"]])
def test_wrong_usage_exits_with_64(arguments):
    assert grantctl(*arguments).returncode == 64


def test_failures_exit_with_1_and_say_why(daemon, authorization_server):
    authorization_server.otherwise = oauth_error("invalid_client", 401, "wrong secret")
    result = run(daemon, "token", "catalog.client")
    assert result.returncode == 1 and result.stdout == ""
    assert "invalid_client" in result.stderr
    assert run(daemon, "token", "absent").returncode == 1
    assert run(daemon, "call", "absent", "/").returncode == 1


@pytest.mark.root
def test_a_refused_caller_exits_with_77(start_daemon, authorization_server):
    daemon = start_daemon({"daemon": {"socket_mode": "0666"},
                           "clients": {"a": client(authorization_server, allow_users=[])}})
    result = run(daemon, "token", "a")
    assert result.returncode == 77 and result.stderr


@pytest.mark.root
def test_a_caller_without_access_to_the_socket_exits_with_77(start_daemon, authorization_server):
    daemon = start_daemon({"daemon": {"socket_mode": "0600"}, "clients": {"a": client(authorization_server)}})
    result = run(daemon, "token", "a", uid=70001)
    assert result.returncode == 77 and str(daemon.socket) in result.stderr


def test_help_and_version():
    for option in ("--help", "--version"):
        result = grantctl(option)
        assert result.returncode == 0 and result.stdout
    assert "call" in grantctl("--help").stdout


def test_output_that_nobody_reads_ends_it_quietly(daemon, api_server):
    from api_server import download

    api_server.on("/big", download(50 << 20))
    process = subprocess.Popen([control_program, "--socket", daemon.socket, "call", "invoices", "/big"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(1000)
    process.stdout.close()
    assert process.wait(15) != 0
    assert until(lambda: daemon.get("/healthz").status == 200)


def test_a_failing_status_shows_the_last_error(daemon, authorization_server):
    authorization_server.otherwise = answer(404)
    run(daemon, "token", "catalog.client")
    table = run(daemon, "status").stdout
    assert re.search(r"catalog\.client\s+failing", table) and "404" in table


def test_a_long_transfer_shows_its_progress_on_a_terminal_alone(daemon, api_server):
    def slowly(wire, request):
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n")
        for _ in range(20):
            wire.send(b"x" * 100_000)
            time.sleep(0.1)
        return True

    api_server.on("/slow", slowly)
    command = [str(control_program), "--socket", str(daemon.socket), "call", "invoices", "/slow"]
    quiet = subprocess.run(command, capture_output=True, timeout=30, check=True)
    assert len(quiet.stdout) == 2_000_000 and quiet.stderr == b""
    terminal, side = pty.openpty()
    shown = b""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=side) as process:
        os.close(side)
        body = process.stdout.read()
        while True:
            try:
                shown += os.read(terminal, 65536)
            except OSError:  # the other side is closed
                break
    os.close(terminal)
    assert process.returncode == 0 and body == quiet.stdout
    assert b"of 1.9 MiB" in shown and b" %" in shown and b"/s" in shown
    assert shown.endswith(b"\r\x1b[K")


def test_a_token_is_not_written_into_a_socket_where_standard_output_is_closed(daemon):
    command = f"exec {control_program} --socket {daemon.socket} token catalog.client >&-"
    result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30)
    assert result.returncode == 1 and "standard output" in result.stderr


@pytest.mark.parametrize("arguments", [("wait-ready", "--timeout", "nan"), ("wait-ready", "--timeout", "-1"),
                                       ("wait-ready", "--timeout", "1e99"), ("token", "a", "--min-valid", "-1")])
def test_numbers_out_of_range_are_usage(daemon, arguments):
    result = run(daemon, *arguments)
    assert result.returncode == 64 and len(result.stderr) < 300
