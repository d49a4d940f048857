"""The rows of tools/bench that ask grantd over its socket."""

import json
import statistics
import subprocess
import time

import subjects
from report import number, times
from rig import median, middle_distribution, ratio

idle_connections = 4000
stampede_callers = 1000
definitions = 100


def throughput(rig):
    report = rig.report
    report.section("`GET /v1/tokens/x` over kept-alive sockets",
                   f"nginx answers a fixed body of {subjects.body_size} bytes on a Unix socket; the floor is a bare epoll loop that "
                   f"reads a head and writes a fixed answer. {rig.rounds} rounds of {rig.seconds:g} s each.")
    servers = [subjects.floor(rig.directory, rig.build, rig.server_cpu), subjects.nginx(rig.directory, rig.nginx, rig.server_cpu),
               rig.grantd()]
    distributions = {}
    try:
        for server in servers:
            server.wait()
        rows = []
        for connections in (1, 16, 256):
            runs = rig.in_turns({server.name: _loader(rig, server, connections) for server in servers})
            rows += load_rows(connections, runs)
            if connections == 1:
                distributions = {name: middle_distribution(one) for name, one in runs.items()}
            judge_load(report, f"GET /v1/tokens, {counted(connections)}", runs, "nginx", "floor")
        report.table(load_headings, rows)
    finally:
        for server in servers:
            server.stop()
    names = {"floor": "floor: bare epoll loop", "nginx": "nginx's socket", "grantd": "grantd's socket"}
    return {names[name]: points for name, points in distributions.items()}


def _loader(rig, server, connections, path=subjects.token_path):
    return lambda: rig.load(server, "--connections", connections, "--seconds", rig.seconds, path=path)


def counted(connections):
    return f"{connections} connection{'s' if connections > 1 else ''}"


load_headings = ("connections", "server", "requests/s", "CPU µs/request", "p50 µs", "p99 µs", "generator busy")


def load_rows(connections, runs):
    for name, one in runs.items():
        busy = statistics.median(run["cpu_seconds"] / run["seconds"] for run in one)
        yield (str(connections), name, f"{median(one, 'rate'):,.0f}", f"{median(one, 'cpu_us'):.2f}", f"{median(one, 'p50_us'):.1f}",
               f"{median(one, 'p99_us'):.1f}", f"{busy:.0%}")


def judge_load(report, what, runs, peer, floor=None):
    """Throughput and CPU per request against the peer's."""
    ours, theirs, bare = runs["grantd"], runs[peer], runs.get(floor)
    for key, title, unit, goal, holds in (
            ("rate", "requests/s", "", "at least 1.0 × nginx", lambda value: value >= 1),
            ("cpu_us", "CPU per request", " µs", "at most 1.0 × nginx", lambda value: value <= 1)):
        value = ratio(ours, theirs, key)
        beside = f", {times(ratio(ours, bare, key))} × floor" if bare else ""
        report.judge(f"{what}: {title}", f"{number(median(ours, key))}{unit}", goal, holds(value),
                     floor=f"{number(median(bare, key))}{unit}" if bare else "", peer=f"nginx {number(median(theirs, key))}{unit}",
                     ratio=f"{times(value)} × nginx{beside}")


def stampede(rig):
    rig.report.section("A stampede", f"{stampede_callers} callers at an expired token, a token request taking 500 ms.")
    server = rig.grantd()
    try:
        rig.tokens.lifetime = 1
        server.wait()
        time.sleep(3)  # it expires, and so does the renewal made ahead for the one caller
        rig.tokens.lifetime, rig.tokens.delay = 3600, 0.5
        before = rig.tokens.requests
        run = rig.load(server, "--connections", stampede_callers, "--burst")
        requests = rig.tokens.requests - before
    finally:
        rig.tokens.lifetime, rig.tokens.delay = 3600, 0
        server.stop()
    took = run["max_us"] / 500_000
    rig.report.judge(f"{stampede_callers} callers at an expired token: token requests", str(requests), "1", requests == 1)
    rig.report.judge(f"{stampede_callers} callers at an expired token: the last is answered after", f"{run['max_us'] / 1000:.0f} ms",
                     "within 1.2 × its duration", took <= 1.2, floor="500 ms", ratio=f"{times(took)} × its duration")


def idle(rig):
    rig.report.section("Idle connections", f"{idle_connections} connections that were used once, and one that is.")
    server = rig.grantd()
    active = ("--connections", 1, "--seconds", rig.seconds)
    try:
        server.wait()
        rig.load(server, *active)
        alone, crowded, grown = [], [], []
        for _ in range(rig.rounds):
            before = server.resident_bytes()
            alone.append(rig.load(server, *active))
            with subprocess.Popen(rig.generator(server, *active, "--idle", idle_connections, "--hold"),
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holding:
                crowded.append(json.loads(holding.stdout.readline()))
                grown.append(server.resident_bytes() - before)
    finally:
        server.stop()
    mebibytes = max(grown) / 2**20  # the first round; later ones find the memory already there
    slower = ratio(crowded, alone, "p50_us")
    rig.report.judge(f"{idle_connections} idle connections: resident memory grows by", f"{mebibytes:.1f} MiB", "less than 16 MiB",
                     mebibytes < 16)
    rig.report.judge(f"{idle_connections} idle connections: latency of an active one", f"{median(crowded, 'p50_us'):.1f} µs",
                     "within 1.2 × without them", slower <= 1.2, floor=f"{median(alone, 'p50_us'):.1f} µs",
                     ratio=f"{times(slower)} × without them")


def start(rig):
    seconds = []
    for _ in range(max(rig.rounds, 3) * 3):
        server = rig.grantd()
        try:
            seconds.append(server.wait())
        finally:
            server.stop()
    milliseconds = statistics.median(seconds) * 1000
    rig.report.section("Start")
    rig.report.judge("start to the first token, memory cache", f"{milliseconds:.1f} ms", "below 50 ms", milliseconds < 50)


def size(rig):
    rig.report.section("Size")
    names = ["x"] + [f"client-{number}" for number in range(1, definitions)]
    server = rig.grantd(definitions=names)
    try:
        server.wait()
        for name in names:
            if subjects.get(server.socket, f"/v1/tokens/{name}") is None:
                raise SystemExit(f"no token for {name}")
        mebibytes = server.resident_bytes() / 2**20
    finally:
        server.stop()
    rig.report.judge(f"resident memory with {definitions} definitions, each with a cached token", f"{mebibytes:.1f} MiB",
                     "below 20 MiB", mebibytes < 20)
