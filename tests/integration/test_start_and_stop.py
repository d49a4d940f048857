"""Start, socket, signals and stop; and what keeps secrets out of core files and freed memory."""

import os
import re
import signal
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest

from api_server import events, respond
from authorization_server import gated, new_token, token
from grantd import api, client, daemon_program, is_sanitized, known_secrets, until
from local_http import BrokenOff


def one(server, **keys):
    return {"clients": {"a": client(server, **keys)}}


def test_configuration_errors_have_a_priority_in_the_journal_and_nowhere_else(make_daemon, authorization_server):
    daemon = make_daemon({"daemon": {"max_connections": 0}, "clients": {"a": client(authorization_server, scoope="x")}})
    command = [str(daemon_program), "--config", str(daemon.config)]

    def errors(arguments=(), stream="{0.st_dev}:{0.st_ino}"):
        """What stands on stderr, to which $JOURNAL_STREAM points."""
        reading, writing = os.pipe()
        surroundings = {**os.environ, "JOURNAL_STREAM": stream.format(os.fstat(writing))}
        with open(reading, encoding="utf-8") as lines:
            with open(writing, "wb") as stderr:
                ended = subprocess.run([*command, *arguments], stderr=stderr, env=surroundings, timeout=60)
            assert ended.returncode == 78
            return lines.read().splitlines()

    plain = errors(stream="")
    assert len(plain) == 2 and all(line.startswith(str(daemon.config)) for line in plain)
    assert errors() == ["<3>" + line for line in plain]
    # The journal is another's, whose surroundings were inherited; and somebody who asked for a check reads himself.
    assert errors(stream="{0.st_dev}:1") == plain
    assert errors(["--check"]) == plain


def test_a_stale_socket_is_replaced(make_daemon, authorization_server):
    daemon = make_daemon(one(authorization_server))
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(daemon.socket))
    assert daemon.socket.exists()
    daemon.start()
    assert daemon.get_token("a").status == 200


def test_a_live_socket_is_not_stolen(start_daemon, make_daemon, authorization_server):
    first = start_daemon(one(authorization_server))
    second = make_daemon({"daemon": {"socket": first.socket}} | one(authorization_server))
    second.launch()
    second.expected_status = second.process.wait(20)
    assert second.expected_status not in (0, -signal.SIGSEGV, -signal.SIGABRT)
    assert str(first.socket) in second.log()
    assert first.get_token("a").status == 200


def test_a_file_in_the_sockets_place_is_not_removed(make_daemon, authorization_server):
    daemon = make_daemon(one(authorization_server))
    daemon.socket.write_text("precious")
    daemon.launch()
    daemon.expected_status = daemon.process.wait(20)
    assert daemon.expected_status != 0
    assert daemon.socket.read_text() == "precious"


def test_the_socket_is_gone_after_a_stop(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server))
    assert stat.S_ISSOCK(daemon.socket.stat().st_mode)
    assert daemon.stop() == 0
    assert not daemon.socket.exists()


def test_a_killed_daemon_can_be_started_again(make_daemon, authorization_server):
    daemon = make_daemon(one(authorization_server)).start()
    daemon.process.kill()
    daemon.process.wait(10)
    assert daemon.socket.exists()
    daemon.start()
    assert daemon.get_token("a").status == 200


def test_a_stop_lets_requests_in_flight_finish(start_daemon, authorization_server, gate):
    authorization_server.otherwise = gated(gate, token())
    daemon = start_daemon(one(authorization_server))
    with daemon.connect() as waiting, daemon.connect() as idle:
        assert idle.request("GET", "/healthz").status == 200
        waiting.send_request("GET", "/v1/tokens/a")
        until(lambda: authorization_server.count == 1)
        daemon.signal(signal.SIGTERM)
        assert idle.is_closed(5)
        until(lambda: refuses_connections(daemon))
        gate.set()
        assert waiting.read_response().status == 200
    assert daemon.process.wait(5) == 0


def refuses_connections(daemon):
    try:
        daemon.connect().close()
        return False
    except (ConnectionRefusedError, FileNotFoundError):
        return True


def test_a_stop_waits_ten_seconds_at_most(start_daemon, authorization_server, api_server):
    api_server.on("/events", events([threading.Event()]))
    daemon = start_daemon(one(authorization_server) | {"apis": {"x": api(api_server, "a")}})
    with daemon.connect() as connection:
        connection.send_request("GET", "/v1/proxy/x/events")
        connection.read_head()
        connection.read_chunk()
        started = time.monotonic()
        daemon.signal(signal.SIGTERM)
        assert daemon.process.wait(16) == 0
        assert time.monotonic() - started <= 14
        with pytest.raises(BrokenOff):
            while connection.read_chunk():
                pass


def test_an_idle_daemon_stops_at_once(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server))
    daemon.get_token("a")
    with daemon.connect() as idle:
        idle.request("GET", "/healthz")
        started = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - started < 3


def test_ctrl_c_stops_it_as_well(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server))
    daemon.signal(signal.SIGINT)
    assert daemon.process.wait(12) == 0


def test_a_closed_log_or_pipe_does_not_end_it(make_daemon, authorization_server):
    daemon = make_daemon(one(authorization_server))
    daemon.process = subprocess.Popen([daemon_program, "--config", daemon.config], stdin=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE)
    daemon.wait_serving()
    daemon.process.stderr.close()
    for _ in range(50):
        daemon.get("/v1/tokens/absent")
    assert daemon.get_token("a").status == 200


def test_it_leaves_no_core_file(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server))
    limits = Path(f"/proc/{daemon.process.pid}/limits").read_text()
    assert re.search(r"Max core file size\s+0\s+0\s", limits)


@pytest.mark.root
def test_a_daemon_of_another_user_is_not_dumpable(make_daemon, authorization_server):
    daemon = make_daemon(one(authorization_server))
    daemon.directory.chmod(0o777)
    daemon.config.chmod(0o600)
    import os

    os.chown(daemon.config, 70010, 70010)
    daemon.wrapper = ["setpriv", "--reuid", "70010", "--regid", "70010", "--clear-groups"]
    daemon.start()
    assert Path(f"/proc/{daemon.process.pid}/maps").stat().st_uid == 0  # owned by root: not dumpable
    denied = subprocess.run(["setpriv", "--reuid", "70010", "--regid", "70010", "--clear-groups", "cat",
                             f"/proc/{daemon.process.pid}/maps"], capture_output=True)
    assert denied.returncode != 0


def memory_holds(pid, needle):
    """Whether the bytes stand anywhere in the writable memory of the process."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, permissions, *_ = line.split()
            start, end = (int(bound, 16) for bound in span.split("-"))
            if "w" not in permissions or end - start > 1 << 30:
                continue
            try:
                memory.seek(start)
                if needle in memory.read(end - start):
                    return True
            except (OSError, OverflowError):
                continue
    return False


@pytest.mark.root
@pytest.mark.skipif(is_sanitized(), reason="a sanitizer keeps freed memory as it was")
def test_dropped_tokens_are_wiped_from_memory(start_daemon, authorization_server, api_server):
    first = new_token()
    authorization_server.script(token(access_token=first))
    api_server.on("/test", respond(200))
    daemon = start_daemon(one(authorization_server) | {"apis": {"x": api(api_server, "a")}})
    assert daemon.get_token("a").token == first
    assert daemon.call("x", "/test", "POST", body=b"x").status == 200
    assert memory_holds(daemon.process.pid, first.encode())
    api_server.close()  # and with it the connections that carried the token
    assert daemon.delete_token("a").status == 204
    daemon.get("/healthz")
    until(lambda: not memory_holds(daemon.process.pid, first.encode()), timeout=10, interval=0.2)


@pytest.mark.root
@pytest.mark.skipif(is_sanitized(), reason="a sanitizer keeps freed memory as it was")
def test_an_old_secret_is_wiped_from_memory(start_daemon, authorization_server, directory):
    file = directory / "secret"
    known_secrets.add(old := "cs-old-secret-to-be-wiped-0123456789")
    known_secrets.add(new := "cs-new-secret-taking-its-place-012345")
    file.write_text(old)
    definition = client(authorization_server, client_secret_file=file)
    del definition["client_secret"]
    daemon = start_daemon({"clients": {"a": definition}})
    assert daemon.get_token("a").status == 200
    (directory / "next").write_text(new)
    (directory / "next").rename(file)
    assert daemon.post_token("a", force_renewal=True).status == 200
    until(lambda: not memory_holds(daemon.process.pid, old.encode()), timeout=10, interval=0.2)


def test_version_and_help(directory):
    for option in ("--version", "--help"):
        result = subprocess.run([daemon_program, option], capture_output=True, text=True, timeout=20)
        assert result.returncode == 0 and "grantd" in result.stdout
    assert subprocess.run([daemon_program, "--nonsense"], capture_output=True, timeout=20).returncode == 64


def test_the_log_is_one_line_an_event_with_a_priority(start_daemon, authorization_server):
    daemon = start_daemon(one(authorization_server))
    daemon.get_token("a")
    daemon.request("GET", "/%0d%0aevent=forged?secret=query-text")
    daemon.stop()
    lines = daemon.log().splitlines()
    form = re.compile(r'<[0-7]>event=[a-z_]+( [a-z_]+=("(\\.|[^"\\])*"|[^\s"=]*))*$')
    assert lines and not [line for line in lines if not form.match(line)]
    assert daemon.events("started") and "query-text" not in daemon.log()


def test_a_second_signal_does_not_change_how_it_ends(start_daemon, authorization_server):
    for _ in range(10):
        daemon = start_daemon(one(authorization_server))
        while daemon.process.poll() is None:
            daemon.signal(signal.SIGTERM)
        assert daemon.process.returncode == 0
