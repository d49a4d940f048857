"""Bodies through the proxy: streamed both ways in constant memory, and ended by whoever ends first."""

import contextlib
import hashlib
import json
import threading
import time

import pytest

from api_server import download, events, hang, raw, refuse_unread, respond, upload
from grantd import api, client, is_sanitized, until
from local_http import BrokenOff
from problems import assert_problem

big = 256 << 20


@pytest.fixture
def serve(start_daemon, authorization_server, api_server):
    def start(**keys):
        return start_daemon({"clients": {"a": client(authorization_server)},
                             "apis": {"x": api(api_server, "a", **keys)}})

    return start


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_large_download_needs_no_memory(serve, api_server, chunked):
    size = big if not is_sanitized() else big // 8
    api_server.on("/big", download(size, chunked))
    daemon = serve()
    daemon.call("x", "/")
    before = daemon.memory()
    with daemon.connect() as connection:
        connection.send_request("GET", "/v1/proxy/x/big")
        response = connection.read_response(keep_body=False)
        assert response.status == 200 and response.body_size == size
        assert connection.request("GET", "/healthz").status == 200  # the connection lives on
    if not is_sanitized():
        assert daemon.memory() - before < 8 << 20


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_large_upload_needs_no_memory(serve, api_server, chunked):
    size = big if not is_sanitized() else big // 8
    piece = bytes(range(256)) * 4096
    api_server.on("/upload", upload)
    daemon = serve()
    daemon.call("x", "/")
    before = daemon.memory()
    framing = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", size)
    digest = hashlib.sha256()
    with daemon.connect() as connection:
        connection.send_request("POST", "/v1/proxy/x/upload", [framing])
        for _ in range(size // len(piece)):
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            digest.update(piece)
        if chunked:
            connection.send(b"0\r\n\r\n")
        answered = connection.read_response()
    assert answered.json() == {"size": size, "sha256": digest.hexdigest()}
    if not is_sanitized():
        assert daemon.memory() - before < 8 << 20


def test_server_sent_events_arrive_as_they_are_sent(serve, api_server):
    gates = [threading.Event() for _ in range(3)]
    api_server.on("/events", events(gates))
    daemon = serve()
    with daemon.connect() as connection:
        connection.send_request("GET", "/v1/proxy/x/events", [("Accept", "text/event-stream")])
        head = connection.read_head()
        assert head.header("Content-Type") == "text/event-stream"
        assert connection.read_chunk() == b"data: 0\n\n"
        for number, opened in enumerate(gates):
            opened.set()  # only now is the next one sent: nothing waits in a buffer
            assert connection.read_chunk() == f"data: {number + 1}\n\n".encode()
        assert connection.read_chunk() == b""


def test_an_upload_reaches_the_api_before_it_is_complete(serve, api_server):
    arrived = threading.Event()

    def first_piece(wire, request):
        pieces = wire.body_pieces(request)
        next(pieces)
        arrived.set()
        for _ in pieces:
            pass
        wire.respond(200)
        return True

    api_server.on("/slow", first_piece)
    daemon = serve(max_replay_body="1KiB")
    with daemon.connect() as connection:
        connection.send_request("POST", "/v1/proxy/x/slow", [("Content-Length", 20000)], b"x" * 10000)
        assert arrived.wait(10)
        connection.send(b"x" * 10000)
        assert connection.read_response().status == 200


def test_a_caller_that_asks_first_is_told_by_the_api_to_go_on(serve, api_server):
    asked, allowed = threading.Event(), threading.Event()

    def willing(wire, request):
        asked.set()
        assert allowed.wait(10)
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        size = sum(len(piece) for piece in wire.body_pieces(request))
        wire.respond(200, body=str(size).encode())
        return True

    api_server.on("/asks", willing)
    daemon = serve()
    with daemon.connect() as connection:
        connection.send_request("PUT", "/v1/proxy/x/asks", [("Content-Length", 5000), ("Expect", "100-continue")])
        assert asked.wait(10)
        assert connection.is_silent()
        allowed.set()
        assert connection.read_head().status == 100
        connection.send(b"x" * 5000)
        assert connection.read_response().body == b"5000"


def test_an_upload_in_tiny_chunks_leaves_the_daemon_to_others(serve, api_server):
    api_server.on("/upload", upload)
    daemon = serve()
    chunk = b"1\r\nx\r\n" * 100_000
    with daemon.connect() as connection, daemon.connect() as other:
        connection.send_request("POST", "/v1/proxy/x/upload", [("Transfer-Encoding", "chunked")])
        sender = threading.Thread(target=lambda: connection.send(chunk * 5 + b"0\r\n\r\n"))
        sender.start()
        started, longest = time.monotonic(), 0
        while sender.is_alive():
            begun = time.monotonic()
            assert other.request("GET", "/healthz").status == 200
            longest = max(longest, time.monotonic() - begun)
        sender.join()
        assert connection.read_response().json()["size"] == 500_000
        lasted = time.monotonic() - started
    # Of a loop that is held up until all chunks are through it would be nearly the whole.
    assert longest < lasted / 2


def test_an_answer_that_goes_on_is_not_silence_though_the_api_reads_nothing(serve, api_server):
    def deaf(wire, request):
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n")
        for _ in range(12):
            time.sleep(0.1)
            wire.send(b"x")
        return False

    api_server.on("/deaf", deaf)
    daemon = serve(idle_timeout="500ms")
    with daemon.connect() as connection:
        connection.send_request("POST", "/v1/proxy/x/deaf", [("Content-Length", 1 << 30)])
        stuck = threading.Thread(target=send_until_closed, args=(connection,), daemon=True)
        stuck.start()
        assert connection.read_response().body == b"x" * 12
    stuck.join(10)


def send_until_closed(connection):
    with contextlib.suppress(OSError):
        while True:
            connection.send(b"x" * (1 << 20))


def test_an_api_that_waits_for_the_rest_of_the_request_is_not_silent(serve, api_server):
    def patient(wire, request):
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        wire.send(b"".join(wire.body_pieces(request)))
        return True

    api_server.on("/patient", patient)
    daemon = serve(idle_timeout="200ms")
    with daemon.connect() as connection:
        connection.send_request("POST", "/v1/proxy/x/patient", [("Content-Length", 4)], b"bo")
        assert connection.read_head().status == 200
        assert connection.is_silent(0.6)
        connection.send(b"dy")
        assert connection.read_exactly(4) == b"body"


def test_content_encoding_passes_untouched(serve, api_server):
    body = b"\x1f\x8b\x08not really gzip"
    api_server.on("/zip", respond(200, [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")], body))
    answered = serve().call("x", "/zip", headers=[("Accept-Encoding", "gzip, br")])
    assert answered.body == body and answered.header("Content-Encoding") == "gzip"


def test_an_answer_that_ends_with_its_connection_is_passed_on(serve, api_server):
    api_server.on("/old", raw(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n", b"until ", b"close", pause=0.05))
    assert serve().call("x", "/old").body == b"until close"


def test_an_api_that_never_answers_is_a_timeout(serve, api_server):
    api_server.on("/never", hang())
    daemon = serve(response_timeout="500ms")
    started = time.monotonic()
    failed = daemon.call("x", "/never", "POST", body=b"x")
    assert_problem(failed, "api_timeout", api="x")
    assert failed.header("Grantd-Error") == "api_timeout"
    assert 0.4 <= time.monotonic() - started < 4
    until(lambda: getattr(api_server.requests[-1], "given_up", False))


def test_an_answer_that_falls_silent_is_broken_off(serve, api_server):
    def falls_silent(wire, request):
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        return wire.peer_has_closed(20) and False

    api_server.on("/silent", falls_silent)
    daemon = serve(idle_timeout="500ms")
    started = time.monotonic()
    with pytest.raises(BrokenOff):
        daemon.call("x", "/silent")
    assert time.monotonic() - started < 5


def test_a_slow_but_steady_answer_outlives_every_timeout(serve, api_server):
    api_server.on("/steady", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n", *[b"x"] * 8, pause=0.2))
    daemon = serve(idle_timeout="900ms", response_timeout="900ms")
    assert daemon.call("x", "/steady").body == b"x" * 8


def test_a_caller_that_goes_away_ends_the_request_to_the_api(serve, api_server):
    api_server.on("/never", hang())
    daemon = serve()
    with daemon.connect() as connection:
        connection.send_request("GET", "/v1/proxy/x/never")
        until(lambda: api_server.count == 1)
    until(lambda: getattr(api_server.requests[0], "given_up", False), timeout=5)


def test_a_caller_that_leaves_a_download_ends_it(serve, api_server):
    gone = threading.Event()

    def endless(wire, request):
        try:
            wire.respond(200, [("Transfer-Encoding", "chunked")])
            while True:
                wire.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        finally:
            gone.set()

    api_server.on("/endless", endless)
    daemon = serve()
    with daemon.connect() as connection:
        connection.send_request("GET", "/v1/proxy/x/endless")
        connection.read_head()
        connection.read_chunk()
    assert gone.wait(10)


def test_a_caller_that_does_not_read_slows_the_api_and_not_the_daemon(serve, api_server):
    sent = []

    def counting(wire, request):
        wire.respond(200, [("Content-Length", big)])
        for _ in range(big >> 16):
            wire.send(bytes(1 << 16))
            sent.append(1)
        return True

    api_server.on("/big", counting)
    daemon = serve()
    daemon.call("x", "/")
    before = daemon.memory()
    with daemon.connect() as connection:
        connection.send_request("GET", "/v1/proxy/x/big")
        connection.read_head()
        until(lambda: sent)
        seen = -1
        while seen != len(sent):
            seen = len(sent)
            time.sleep(0.2)
        assert len(sent) < big >> 16  # the pressure reaches the API
        if not is_sanitized():
            assert daemon.memory() - before < 8 << 20
        assert daemon.get("/healthz").status == 200


def test_an_api_that_answers_before_the_whole_body_is_heard(serve, api_server):
    api_server.on("/early", refuse_unread(413))
    daemon = serve(max_replay_body="1KiB")
    with daemon.connect() as connection:
        connection.send_request("POST", "/v1/proxy/x/early", [("Content-Length", 1 << 30)], b"x" * 10000)
        assert connection.read_response().status == 413


def test_an_unframed_upload_that_stops_short_is_not_completed_for_the_api(serve, api_server):
    finished = []

    def reading(wire, request):
        try:
            for _ in wire.body_pieces(request):
                pass
            finished.append("complete")
        except Exception:
            finished.append("broken off")
            raise
        wire.respond(200)
        return True

    api_server.on("/upload", reading)
    daemon = serve(max_replay_body="1KiB")
    with daemon.connect() as connection:
        chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
        connection.send_request("POST", "/v1/proxy/x/upload", [("Transfer-Encoding", "chunked")], chunk)
        until(lambda: api_server.count == 1)
    until(lambda: finished)
    assert finished == ["broken off"]


def test_many_streams_at_once_hold_no_thread(serve, api_server):
    gates = [threading.Event()]
    api_server.on("/events", events(gates))
    daemon = serve()
    before = threads_of(daemon)
    connections = [daemon.connect() for _ in range(100)]
    for connection in connections:
        connection.send_request("GET", "/v1/proxy/x/events")
    for connection in connections:
        connection.read_head()
        assert connection.read_chunk() == b"data: 0\n\n"
    assert threads_of(daemon) - before <= 8
    gates[0].set()
    for connection in connections:
        assert connection.read_chunk() == b"data: 1\n\n"
        connection.close()


def threads_of(daemon):
    with open(f"/proc/{daemon.process.pid}/status") as status:
        return int(next(line.split()[1] for line in status if line.startswith("Threads:")))


def test_the_metrics_count_what_callers_got(serve, api_server):
    api_server.on("/teapot", respond(418, [], b"short and stout"))
    daemon = serve()
    api_server.refused.add(daemon.get_token("a").token)
    assert daemon.call("x", "/teapot").status == 418
    assert daemon.metric("grantd_api_requests_total", api="x", status=418) == 1
    assert daemon.metric("grantd_api_retries_total", api="x", reason="401") == 1
    assert json.dumps(daemon.get("/v1/apis").json())
