"""A fleet: daemons with the same configuration, each with a socket of its own, processes that call them, and the table of what
that cost the authorization server."""

import contextlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import authorization_server
from grantd import Daemon, Directory, build, is_sanitized

# A sanitizer's build takes ten times the memory and the time.
daemon_count = 8 if is_sanitized() else 30
client_count = 20
table_file = build / "fleet.txt"


@dataclass
class Answer:
    name: str
    daemon: int
    began: float
    took: float
    status: int
    code: str | None = None
    version: str | None = None
    token: str | None = None

    @property
    def ended(self):
        return self.began + self.took


class Clients:
    """`client_count` processes (fleet_client.py). One job at a time, the same for all of them."""

    def __init__(self):
        program = Path(__file__).with_name("fleet_client.py")
        self._processes = [subprocess.Popen([sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            text=True, bufsize=1) for _ in range(client_count)]

    def close(self):
        for process in self._processes:
            process.stdin.close()
        for process in self._processes:
            process.wait(30)

    def _tell(self, line):
        for process in self._processes:
            process.stdin.write(line + "\n")

    def begin(self, calls, **job):
        self._tell(json.dumps({"calls": calls} | job))

    def answers(self):
        """One list for each client."""
        lists = [json.loads(process.stdout.readline())["answers"] for process in self._processes]
        found = [[Answer(**answer) for answer in answers] for answers in lists]
        authorization_server.issued.update(answer.token for answers in found for answer in answers if answer.token)
        return found

    def end(self):
        """Of a job without an end of its own; its answers."""
        self._tell("")
        return self.answers()

    def run(self, calls, rounds=1, **job):
        """Every client makes every call; all answers in one list."""
        self.begin(calls, rounds=rounds, **job)
        return [answer for answers in self.answers() for answer in answers]


class Fleet:
    """Daemons that were started together."""

    def __init__(self, configuration, count=daemon_count):
        self._directories = [Directory() for _ in range(count)]
        self.daemons = [Daemon(directory.path, configuration) for directory in self._directories]
        self.each(Daemon.launch)
        self.each(Daemon.wait_serving)

    def each(self, action):
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(action, self.daemons))

    def close(self):
        try:
            self.each(Daemon.finish)
        finally:
            for directory in self._directories:
                directory.remove()

    def calls(self, names, method="GET", target="/v1/tokens/{name}", host="localhost", body=None):
        """One call to each daemon for each name. `body` is a function of the name."""
        return [{"daemon": number, "socket": str(daemon.socket), "name": name, "method": method,
                 "target": target.format(name=name), "host": host, "body": json.dumps(body(name)) if body else ""}
                for number, daemon in enumerate(self.daemons) for name in names]

    def metric(self, name, **labels):
        """The sum of a counter."""
        return sum(self.each(lambda daemon: daemon.metric(name, **labels)))


def tokens_by_name(answers):
    """{name: set of tokens}, of answers that must all be tokens."""
    found = {}
    for answer in answers:
        assert answer.status == 200, answer
        found.setdefault(answer.name, set()).add(answer.token)
    return found


class Table:
    """Lines for people, and for tools/test, which shows the file."""

    def __init__(self, heading):
        table_file.parent.mkdir(parents=True, exist_ok=True)
        self._put(heading)

    def _put(self, line):
        print(line)
        with table_file.open("a") as file:
            file.write(f"fleet: {line}\n")

    def row(self, what, requests, answers, took):
        """`requests` by key, beside the tokens that they brought and the answers given of them."""
        each = ", ".join(map(str, requests.values()))
        tokens = len({answer.token for answer in answers if answer.token})
        slowest = max(answer.took for answer in answers)
        self._put(f"{what:<46} token requests by key: {each:<7} tokens seen: {tokens:>2}  answers: {len(answers):>5} "
                  f"in {took:5.2f} s, slowest {slowest:5.3f} s")

    def line(self, text):
        self._put(text)


@contextlib.contextmanager
def closing_all():
    """Closes what is added, last first, whatever fails."""
    with contextlib.ExitStack() as stack:
        def add(made):
            stack.callback(made.close)
            return made

        yield add
