"""The rows of tools/bench about what more of something costs: definitions, connected processes, processes that read one page.
Each item must not cost more because there are many."""

import json
import subprocess
import time

import subjects
from authorization_server import AuthorizationServer
from report import nanoseconds, number, times
from rig import median, quantile, ratio

definition_steps = (1, 10, 100, 1_000, 10_000)
process_steps = (1, 10, 100, 1_000, 4_000)
few = 100  # enough to tell what one of them costs


def _lifetime(count):
    """Of tokens, in seconds. Renewals fall due between 0.5 and 0.55 of it, and until the first one all must have been fetched."""
    return 4 + count * 4 // 1000


def definitions(rig):
    report = rig.report
    report.section("Cost as definitions grow",
                   "Each with `prefetch` and a 900-byte token. Token requests are counted for as long as it takes to renew every token "
                   "once. Callers ask for all of them in turn: over the socket, and in the library. Beside the library stands what "
                   "copying as many tokens out of shared memory takes: that more of them fit the processor's caches less is the machine's "
                   "share.")
    steps = [_with_definitions(rig, count) for count in definition_steps if count <= rig.most]
    first = steps[0]
    rows = []
    for step in steps:
        more = max(step["count"] - 1, 1)
        rows.append((f"{step['count']:,}", f"{step['start']['seconds'] * 1e3:.1f}", f"{step['start']['cpu'] * 1e3:.1f}",
                     f"{(step['start']['cpu'] - first['start']['cpu']) / more * 1e6:.1f}",
                     f"{step['ready']:.2f}", f"{step['resident'] / 2**20:.1f}",
                     f"{(step['resident'] - first['resident']) / more / 1024:.1f}",
                     f"{step['load']['p50_us']:.1f}", f"{step['load']['cpu_us']:.2f}", f"{step['load']['floor_us']:.2f}",
                     number(step["library_ns"]), number(step["floor_ns"]),
                     f"{step['requests'] / step['count']:.2f}", f"{step['renewal_cpu'] * 1e6:.0f}"))
    report.table(("definitions", "start ms", "its CPU ms", "µs each", "all tokens s", "resident MiB", "KiB each",
                  "GET p50 µs", "GET CPU µs", "the floor's", "library: CPU ns/call", "a copy: CPU ns", "token requests each", "CPU µs per renewal"), rows)
    report.note("What is asked of all definitions at once, and how long another caller waits meanwhile at most:")
    report.table(("definitions", "scrape of /metrics: CPU ms", "µs each", "longest wait ms", "reload: CPU ms", "µs each",
                  "longest wait ms"),
                 [(f"{step['count']:,}", *_meanwhile_cells(step, "scrape"), *_meanwhile_cells(step, "reload")) for step in steps])
    _judge_steps(report, "definitions", steps, {
        "CPU of a scrape, each": lambda step: step["scrape"]["cpu"] / step["count"],
        "CPU of a reload, each": lambda step: step["reload"]["cpu"] / step["count"],
        "resident memory each": lambda step: (step["resident"] - first["resident"]) / max(step["count"] - 1, 1),
        "CPU of a renewal": lambda step: step["renewal_cpu"],
        "CPU of the start, each": lambda step: (step["start"]["cpu"] - first["start"]["cpu"]) / max(step["count"] - 1, 1),
    }, smallest=few)
    if steps[-1]["count"] >= 1_000:  # with few, a wait is the machine's
        wait, cpu = steps[-1]["scrape"]["wait_ms"], steps[-1]["scrape"]["cpu"] * 1e3
        report.judge(f"{steps[-1]['count']:,} definitions: longest wait of another caller during a scrape", f"{number(wait)} ms",
                     f"at most 0.2 × the scrape's CPU, {number(cpu)} ms", wait <= 0.2 * cpu)
    _judge_steps(report, "definitions", steps, {
        "CPU of GET /v1/tokens, as × the floor": lambda step: step["load"]["times"],
        "token requests each": lambda step: step["requests"] / step["count"],
        "a cached call in the library, as × a copy": lambda step: step["library_times"],
    })


def _meanwhile_cells(step, name):
    cpu = step[name]["cpu"]
    return f"{cpu * 1e3:.1f}", f"{cpu / step['count'] * 1e6:.1f}", f"{step[name]['wait_ms']:.1f}"


def _with_definitions(rig, count):
    server = AuthorizationServer(rig.directory, rig.nginx, rig.own_cpu, _lifetime(count))
    daemon = rig.grantd(token_endpoint=server.token_endpoint, definitions=[f"x{i}" for i in range(count)], keys="prefetch = true")
    try:
        start = {"seconds": daemon.wait("/healthz"), "cpu": daemon.cpu_seconds()}
        ready = daemon.wait("/readyz")
        server.requests()
        cpu = daemon.cpu_seconds()
        time.sleep(0.575 * _lifetime(count))
        renewed, cpu = server.requests(), daemon.cpu_seconds() - cpu
        load = _active(rig, daemon, "--definitions", count, path="/v1/tokens/x")
        resident = daemon.resident_bytes()
        calls = rig.in_turns({"library": lambda: _calls(rig, "token_reader", "--socket", daemon.socket, "--definitions", count),
                              "floor": lambda: _calls(rig, "copy_floor", "--tokens", count)}, rounds=3)
        scrape, reload = _meanwhile(rig, daemon, "/metrics", "GET"), _meanwhile(rig, daemon, "/v1/reload", "POST")
    finally:
        daemon.stop()
        server.stop()
    return {"count": count, "start": start, "ready": ready, "resident": resident, "load": load, "requests": renewed,
            "scrape": scrape, "reload": reload, "renewal_cpu": cpu / max(renewed, 1),
            "library_ns": median(calls["library"], "ns"), "floor_ns": median(calls["floor"], "ns"),
            "library_times": ratio(calls["library"], calls["floor"], "ns")}


def _calls(rig, program, *arguments):
    """Of a program that calls something over and over: the CPU time of one call."""
    run = rig.run([rig.program(program), *arguments, "--seconds", min(rig.seconds, 0.5)])
    return {"ns": run["cpu_seconds"] / run["calls"] * 1e9}


def _active(rig, daemon, *arguments, **options):
    """One connection that is busy, in turns with one of the bare epoll loop: what a step costs is held against it, for steps are
    minutes apart, and a machine is not the same all the time."""
    floor = subjects.floor(rig.directory, rig.build, rig.server_cpu)
    load = ("--connections", 1, "--seconds", min(rig.seconds, 0.5))
    try:
        floor.wait()
        runs = rig.in_turns({"grantd": lambda: rig.load(daemon, *load, *arguments, **options),
                             "floor": lambda: rig.load(floor, *load)}, rounds=3)
    finally:
        floor.stop()
    return {"p50_us": median(runs["grantd"], "p50_us"), "cpu_us": median(runs["grantd"], "cpu_us"),
            "floor_us": median(runs["floor"], "cpu_us"), "times": ratio(runs["grantd"], runs["floor"], "cpu_us")}


def _meanwhile(rig, daemon, target, method):
    """What a request takes of the daemon, and the longest wait of another caller while it is served: each on an otherwise
    idle daemon, one after the other."""
    cpu = daemon.cpu_seconds()
    _must(daemon, target, method)
    cpu = daemon.cpu_seconds() - cpu
    load = rig.generator(daemon, "--connections", 1, "--seconds", 1, path="/v1/tokens/x0")
    with subprocess.Popen(load, stdout=subprocess.PIPE) as other:
        time.sleep(0.2)
        _must(daemon, target, method)
        return {"cpu": cpu, "wait_ms": json.loads(other.stdout.readline())["max_us"] / 1e3}


def _must(daemon, target, method):
    if subjects.get(daemon.socket, target, method) is None:
        raise SystemExit(f"{method} {target} fails")


class Crowd:
    """Processes that each have a connection and a token (crowd.cpp)."""

    def __init__(self, rig, server, processes):
        self._running = subprocess.Popen([rig.program("crowd"), "--socket", server.socket, "--processes", str(processes)],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.size = json.loads(self._answer())["processes"]

    def do(self, command):
        self._running.stdin.write(command + "\n")
        self._running.stdin.flush()
        return json.loads(self._answer())

    def _answer(self):
        if line := self._running.stdout.readline():
            return line
        raise SystemExit(f"crowd ended with status {self._running.wait()}")

    def end(self):
        self._running.stdin.close()
        self._running.stdout.close()
        self._running.wait(60)


def processes(rig):
    report = rig.report
    report.section("Cost as processes grow",
                   "Every process is a real one, with a connection of its own that stays open and the page of one token. All ask at once: "
                   "first to connect, then after an eviction, when everybody's page has been closed and one token request serves all. "
                   "Then all read the page over and over, on one CPU. An active connection is measured while the others are idle.")
    steps = [_with_processes(rig, count) for count in process_steps if count <= rig.most]
    report.table(("processes", "connect: CPU µs each", "resident KiB each", "another page: CPU µs each", "all have it after",
                  "token requests", "active GET p50 µs", "CPU µs", "the floor's", "read: CPU ns/call", "million reads/s"),
                 [(f"{step['count']:,}", f"{step['connect_us']:.0f}", f"{step['resident'] / step['count'] / 1024:.1f}",
                   f"{step['again_us']:.0f}", nanoseconds(step["again_ns"]), str(step["requests"]),
                   f"{step['load']['p50_us']:.1f}", f"{step['load']['cpu_us']:.2f}", f"{step['load']['floor_us']:.2f}",
                   f"{step['read_ns']:.0f}", f"{step['read_rate'] / 1e6:.2f}") for step in steps])
    if steps[-1]["count"] < min(rig.most, process_steps[-1]):
        report.note(f"This machine gave no more than {steps[-1]['count']:,} processes.")
    _judge_steps(report, "processes", steps, {
        "CPU of a connection made": lambda step: step["connect_us"],
        "CPU of another page": lambda step: step["again_us"],
        "resident memory each": lambda step: step["resident"] / step["count"],
    }, smallest=10)
    _judge_steps(report, "processes", steps, {
        "CPU of an active GET, as × the floor": lambda step: step["load"]["times"],
        "CPU of reading the page": lambda step: step["read_ns"],
    })


def _with_processes(rig, count):
    daemon = rig.grantd()
    crowd = None
    try:
        daemon.wait()
        resident, cpu = daemon.resident_bytes(), daemon.cpu_seconds()
        crowd = Crowd(rig, daemon, count)
        crowd.do("ask")
        connect = daemon.cpu_seconds() - cpu
        grown = daemon.resident_bytes() - resident
        load = _active(rig, daemon)
        _must(daemon, subjects.token_path, "DELETE")
        requests, cpu = rig.tokens.requests, daemon.cpu_seconds()
        again = crowd.do("ask")
        cpu = daemon.cpu_seconds() - cpu
        reading = crowd.do(f"read {min(rig.seconds, 1)}")
    finally:
        if crowd:
            crowd.end()
        daemon.stop()
    return {"count": crowd.size, "connect_us": connect / crowd.size * 1e6, "resident": grown, "again_us": cpu / crowd.size * 1e6,
            "again_ns": quantile(again["distribution"], 1), "requests": rig.tokens.requests - requests, "load": load,
            "read_ns": reading["cpu_seconds"] / reading["calls"] * 1e9, "read_rate": reading["calls"] / reading["seconds"]}


def _judge_steps(report, what, steps, costs, smallest=1):
    """The last step's cost of an item against that of the first step with enough items to tell."""
    base = next((step for step in steps if step["count"] >= smallest), steps[-1])
    last = steps[-1]
    if base is last:
        return
    for name, cost in costs.items():
        dearer = cost(last) / max(cost(base), 1e-12)
        report.judge(f"{last['count']:,} {what} against {base['count']:,}: {name}", f"× {times(dearer)}", "at most × 1.5",
                     dearer <= 1.5)
