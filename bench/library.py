"""The rows of tools/bench about a cached token in the caller's own process, and how other ways to one compare."""

import shutil
import statistics
import subprocess
from pathlib import Path

import oidc_agent
import svg_plot
from report import nanoseconds, number, times
from rig import median, middle_distribution, quantile, ratio

root = Path(__file__).resolve().parent
system_python = "/usr/bin/python3"  # the one that has the packages
samples = 200_000
fresh_samples = 2_000
calls_without_system_calls = 1_000_000


class Ways:
    """To a cached 900-byte token without leaving the process: a command line for each that is there."""

    def __init__(self, rig, server):
        self.reader = [rig.program("token_reader"), "--socket", server.socket]
        self.threaded = {"floor": [rig.program("copy_floor")], "grantd": self.reader}
        if go := _go_program(rig):
            self.threaded["Go"] = [go, "--url", rig.tokens.url]
        self.all = dict(self.threaded)
        if _has_authlib():
            self.all["authlib"] = [system_python, root / "peers/authlib_token.py", "--url", rig.tokens.url]
        for key, name in (("Go", "golang.org/x/oauth2"), ("authlib", "authlib")):
            if key not in self.all:
                rig.report.note(f"{name} is not installed here, so it is missing below.")


def _go_program(rig):
    """Token() of golang.org/x/oauth2, of the packages that the distribution has, without a network."""
    sources = Path("/usr/share/gocode")
    if not shutil.which("go") or not (sources / "src/golang.org/x/oauth2/clientcredentials").exists():
        return None
    program = rig.program("peers/oauth2_token_source").resolve()
    settings = {"GO111MODULE": "off", "GOPATH": str(sources), "GOCACHE": str(program.parent / "go-cache"), "GOFLAGS": "-trimpath"}
    subprocess.run(["env", *(f"{name}={value}" for name, value in settings.items()), "go", "build", "-o", program,
                    root / "peers/oauth2_token_source.go"], check=True)
    return program


def _has_authlib():
    found = subprocess.run([system_python, "-c", "import authlib.integrations.httpx_client"], capture_output=True)
    return found.returncode == 0


def _caller(rig, command):
    """By the CPU time of the process: what else runs on the machine does not count."""
    def once():
        run = rig.run([*command, "--seconds", rig.seconds, "--samples", samples])
        run["ns"] = run["cpu_seconds"] / run["calls"] * 1e9
        return run
    return once


def _threaded_caller(rig, command, threads):
    def once():
        run = rig.run([*command, "--seconds", rig.seconds / 4, "--threads", threads], cpus=set(rig.cpus))
        run["rate"] = run["calls"] / run["seconds"]
        return run
    return once


def cached_token(rig):
    report = rig.report
    report.section("A cached token in the library",
                   "`Client::get_access_token` with a 900-byte token, which the caller gets as its own copy and which is wiped when it "
                   "is dropped. The floor copies 900 bytes out of shared memory and reads CLOCK_BOOTTIME; the peers give a reference to a "
                   f"token that they look at for its expiry. One thread, {rig.rounds} rounds of {rig.seconds:g} s each.")
    server = rig.grantd()
    try:
        server.wait()
        ways = Ways(rig, server)
        runs = rig.in_turns({name: _caller(rig, command) for name, command in ways.all.items()})
        report.table(("way", "ns/call", "× floor", "p50 ns", "p99 ns", "p99.9 ns"),
                 [_latency_row(name, one, runs["floor"]) for name, one in runs.items()])
        _judge_cached(report, runs)
        _judge_system_calls(rig, ways)
        _threads(rig, ways)
    finally:
        server.stop()
    names = {"floor": "floor: a copy", "grantd": "grantd's library", "Go": "Go's oauth2", "authlib": "Python's authlib"}
    return {names[name]: middle_distribution(one) for name, one in runs.items()}


def _latency_row(name, runs, floor):
    distribution = middle_distribution(runs)
    return (name, f"{median(runs, 'ns'):.1f}", times(ratio(runs, floor, "ns")),
            *(f"{quantile(distribution, part):.0f}" for part in (0.5, 0.99, 0.999)))


def _judge_cached(report, runs):
    ours, floor = runs["grantd"], runs["floor"]
    mine, bare = f"{median(ours, 'ns'):.1f} ns", f"{median(floor, 'ns'):.1f} ns"
    slower = ratio(ours, floor, "ns")
    report.judge("cached token in the library, against a copy", mine, "at most 2.5 × floor", slower <= 2.5, floor=bare,
                 ratio=f"{times(slower)} × floor")
    if "Go" in runs:
        slower = ratio(ours, runs["Go"], "ns")
        report.judge("cached token in the library, against Go", mine, "at most 1.0 × Go", slower <= 1, floor=bare,
                     peer=f"Go {median(runs['Go'], 'ns'):.1f} ns", ratio=f"{times(slower)} × Go")
    else:
        report.judge("cached token in the library, against Go", mine, "at most 1.0 × Go", False, floor=bare,
                     peer="Go is not installed")


def _judge_system_calls(rig, ways):
    """The process may make none any more, or the kernel ends it."""
    command = [*ways.reader, "--no-system-calls", calls_without_system_calls]
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    none = done.returncode == 0 and "system_calls" in done.stdout
    rig.report.judge(f"system calls of {calls_without_system_calls:,} cached calls", "0" if none else "ended by the kernel", "none",
                     none)


def _threads(rig, ways):
    cores = len(rig.cpus)
    counts = sorted({1, 2, 4, 8, cores})
    actions = {(name, count): _threaded_caller(rig, command, count)
               for name, command in ways.threaded.items() for count in counts}
    runs = rig.in_turns(actions)
    lines = {name: [(count, median(runs[name, count], "rate") / 1e6) for count in counts] for name in ways.threaded}
    rig.report.table(("threads", *(f"{name}, million calls/s" for name in lines)),
                     [(str(count), *(number(line[i][1]) for line in lines.values())) for i, count in enumerate(counts)])
    names = {"floor": "floor: a copy", "grantd": "grantd's library", "Go": "Go's oauth2"}
    highest = max(rate for line in lines.values() for _, rate in line)
    axes = (svg_plot.powers_of_two("threads", counts),
            svg_plot.linear("million calls a second", highest, lambda value: f"{value:g}"))
    rig.report.plot("threads", svg_plot.plot(f"Cached tokens a second, on {cores} cores", *axes,
                                             {names[name]: line for name, line in lines.items()}),
                    "Throughput of cached tokens against threads")
    gains = [mine["rate"] / alone["rate"] for mine, alone in zip(runs["grantd", cores], runs["grantd", 1], strict=True)]
    gain = statistics.median(gains)
    rates = dict(lines["grantd"])
    rig.report.judge(f"cached token in the library, {cores} threads on as many cores", f"{number(rates[cores])} million/s",
                     f"at least {0.9 * cores:.1f} × one thread", gain >= 0.9 * cores, floor=f"{number(rates[1])} million/s",
                     ratio=f"{times(gain)} × one thread")


def agent(rig):
    """A new connection for each token: oidc-agent takes one question from each."""
    report = rig.report
    report.section("Against oidc-agent",
                   "oidc-agent answers one question on each connection. grantd is asked in the same manner here, which is not how its "
                   f"library asks. {rig.rounds} rounds of {rig.seconds:g} s each.")
    if not oidc_agent.is_installed():
        report.note("oidc-agent is not installed here.")
        return {}
    ours = rig.grantd()
    theirs = oidc_agent.OidcAgent(rig.directory, rig.nginx, rig.server_cpu, rig.own_cpu)
    http = "GET /v1/tokens/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    try:
        for server in (ours, theirs):
            server.wait()
        runs = rig.in_turns({server.name: _fresh_caller(rig, server, question)
                             for server, question in ((ours, http), (theirs, oidc_agent.question))})
    finally:
        for server in (ours, theirs):
            server.stop()
    report.table(("server", "tokens/s", "CPU µs/token", "p50", "p99"), [_agent_row(name, one) for name, one in runs.items()])
    faster = ratio(runs["grantd"], runs["oidc-agent"], "rate")
    report.note(f"grantd gives {times(faster)} times the tokens of oidc-agent, each over a new connection.")
    return {"oidc-agent": middle_distribution(runs["oidc-agent"])}


def _agent_row(name, runs):
    distribution = middle_distribution(runs)
    return (name, f"{median(runs, 'rate'):,.0f}", f"{median(runs, 'cpu_us'):.1f}",
            *(nanoseconds(quantile(distribution, part)) for part in (0.5, 0.99)))


def _fresh_caller(rig, server, question):
    command = [rig.program("fresh_caller"), "--socket", server.socket, "--question", question, "--seconds", rig.seconds,
               "--samples", fresh_samples]

    def once():
        before = server.cpu_seconds()
        run = rig.run(command)
        run["rate"] = run["calls"] / run["seconds"]
        run["cpu_us"] = (server.cpu_seconds() - before) / (run["calls"] + fresh_samples) * 1e6
        return run
    return once
