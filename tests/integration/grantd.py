"""Runs the real daemon for a test: configuration, start, requests, stop, and what must hold of each at its end."""

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

import authorization_server
from local_http import Connection

build = Path(os.environ.get("GRANTD_BUILD", Path(__file__).parents[2] / "build/test")).resolve()
daemon_program = build / "daemon/grantd"
control_program = build / "cli/grantctl"

# Sanitizers and a busy machine are slow; nothing that passes waits this long.
patience = 30
known_secrets = set()  # what no log may hold, besides the tokens in authorization_server.issued
_reports = re.compile("ERROR: (Address|Leak|Thread)Sanitizer|runtime error:|WARNING: ThreadSanitizer|"
                      "Assertion `.*failed|terminate called")


def new_secret(suffix=""):
    value = "cs-" + secrets.token_urlsafe(18) + suffix
    known_secrets.add(value)
    return value


def until(condition, timeout=patience, interval=0.005):
    """Waits until `condition()` is true and returns what it returned."""
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(interval)
    return result


def to_toml(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {to_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(to_toml, value)) + "]"
    if isinstance(value, int):
        return str(value)
    return json.dumps(str(value))


def tables(configuration):
    """TOML text for {"daemon": {...}, "defaults": {...}, "clients": {name: {...}}, "apis": {name: {...}}}."""
    lines = []

    def table(header, members):
        lines.append(f"[{header}]")
        lines.extend(f"{key} = {to_toml(value)}" for key, value in members.items())
        lines.append("")

    for name, members in configuration.items():
        if name in ("clients", "apis"):
            for definition, keys in members.items():
                table(f"{name}.{json.dumps(definition)}", keys)
        else:
            table(name, members)
    return "\n".join(lines)


def client(server, **keys):
    """A client definition for an authorization server, with a secret of its own."""
    definition = {"token_endpoint": server.token_endpoint, "client_id": "worker", "client_secret": new_secret()}
    if server.token_endpoint.startswith("http:"):
        definition["allow_insecure_http"] = True
    return definition | keys


def api(server, client_name, **keys):
    definition = {"client": client_name, "base_url": server.origin}
    if server.origin.startswith("http:"):
        definition["allow_insecure_http"] = True
    return definition | keys


class Directory:
    """A directory whose path is short enough for a socket and open to other users."""

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix="grantd-"))
        self.path.chmod(0o755)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Daemon:
    """One running daemon. `configuration` is what `tables` takes, or TOML text that names `self.socket` itself."""

    def __init__(self, directory, configuration, wrapper=(), environment=None, arguments=()):
        self.directory = directory
        self.config = directory / "grantd.toml"
        self.socket = directory / "grantd.sock"
        self.log_file = directory / "log"
        self.program = daemon_program
        self.wrapper = list(wrapper)
        self.environment = environment or {}
        self.arguments = list(arguments)
        self.pass_fds = ()
        self.process = None
        self.expected_status = 0
        self.configure(configuration)

    def configure(self, configuration):
        """Writes the configuration; a running daemon learns of it by a reload."""
        if isinstance(configuration, dict):
            daemon = {"socket": self.socket} | configuration.get("daemon", {})
            configuration = tables({"daemon": daemon} | {k: v for k, v in configuration.items() if k != "daemon"})
        self.config.touch(mode=0o600)
        self.config.write_text(configuration)

    def launch(self):
        """Starts the process without waiting for it."""
        command = [*self.wrapper, str(self.program), "--config", str(self.config), *self.arguments]
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            pass_fds=self.pass_fds, env={**os.environ, **self.environment})
        return self

    def start(self):
        self.launch()
        self.wait_serving()
        return self

    def wait_serving(self):
        def serves():
            assert self.process.poll() is None, f"grantd ended with {self.process.returncode}:\n{self.log()}"
            try:
                return self.request("GET", "/healthz").status == 200
            except (FileNotFoundError, ConnectionRefusedError):
                return False

        until(serves)

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def events(self, name):
        """The log lines of one event."""
        return [line for line in self.log().splitlines() if re.match(rf"<\d>event={name}( |$)", line)]

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, wait=patience):
        """SIGTERM, unless it has ended already; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(wait)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            raise AssertionError(f"grantd did not end on SIGTERM:\n{self.log()[-4000:]}") from None

    def finish(self):
        """Ends the daemon and asserts what holds of every one of them, whatever the test did to it."""
        if self.process is None:
            return
        status = self.stop()
        log = self.log()
        assert not _reports.search(log), log[-20000:]
        assert status == self.expected_status, f"exit status {status}:\n{log[-4000:]}"
        leaked = [value for value in known_secrets | authorization_server.issued if value in log]
        assert not leaked, f"secrets in the log: {leaked}\n{log[-4000:]}"

    def connect(self, **options):
        return Connection(self.socket, **options)

    def request(self, method, target, headers=(), body=b"", host="localhost", **options):
        """One request on a connection of its own."""
        with self.connect(**options) as connection:
            return connection.request(method, target, headers, body, host)

    def get(self, target, **options):
        return self.request("GET", target, **options)

    def get_token(self, name, query="", **options):
        return self.get(f"/v1/tokens/{name}{'?' + query if query else ''}", **options)

    def post_token(self, name, uid=None, **members):
        options = {} if uid is None else {"uid": uid}
        headers = [("Content-Type", "application/json")]
        return self.request("POST", f"/v1/tokens/{name}", headers, json.dumps(members).encode(), **options)

    def delete_token(self, name, query="", **options):
        return self.request("DELETE", f"/v1/tokens/{name}{'?' + query if query else ''}", **options)

    def call(self, api_name, path="/", method="GET", headers=(), body=b"", **options):
        """Through the proxy, addressed by path."""
        return self.request(method, f"/v1/proxy/{api_name}{path}", headers, body, **options)

    def clients(self, **options):
        listed = self.get("/v1/clients", **options).json()["clients"]
        return {entry["name"]: entry for entry in listed}

    def reload(self, **options):
        return self.request("POST", "/v1/reload", **options)

    def metrics(self):
        """{(name, ((label, value), ...)): number} of every sample."""
        samples = {}
        for line in self.get("/metrics").body.decode().splitlines():
            if line and not line.startswith("#"):
                name, labels, value = re.fullmatch(r"([a-zA-Z_:]+)(?:\{(.*)\})? (\S+)", line).groups()
                pairs = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")
                samples[(name, tuple(sorted(pairs)))] = float(value)
        return samples

    def metric(self, name, **labels):
        return self.metrics().get((name, tuple(sorted((key, str(value)) for key, value in labels.items()))), 0.0)

    def memory(self):
        """Resident memory in bytes."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) * 1024


def within_reach(program, directory):
    """A copy of a program, or of a library, in a directory that every user can reach; of the build's this is not known."""
    return Path(shutil.copy(program, directory))


def grantctl(*arguments, socket=None, text=None, environment=None, timeout=patience, uid=None):
    """Runs grantctl, as another user in a copy that this user can reach; the result has returncode, stdout and stderr as
    text."""
    command = [str(control_program), *(["--socket", str(socket)] if socket else []), *map(str, arguments)]
    if uid is not None:
        command[0] = within_reach(control_program, Path(socket).parent)
        command = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", *command]
    surroundings = {key: value for key, value in os.environ.items() if key != "GRANTD_SOCKET"}
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=timeout,
                          env={**surroundings, **(environment or {})})


def check(configuration_file, program=None, option="--check"):
    """Runs `grantd --config FILE --check`."""
    command = [str(program or daemon_program), "--config", str(configuration_file), option]
    return subprocess.run(command, capture_output=True, text=True, timeout=patience)


def form_encode(value):
    return urllib.parse.quote_plus(value)


def is_sanitized():
    """Whether the daemon under test is a sanitizer's build, whose memory figures say nothing."""
    return bool(os.environ.get("GRANTD_SANITIZED"))


def python():
    return sys.executable
