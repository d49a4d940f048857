"""A real redis-server for a test, on a Unix socket and on loopback, and what it holds, read over its protocol. Another
program of the kind, valkey-server say, takes its place where $GRANTD_REDIS_SERVER names it."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

patience = 20
program = os.environ.get("GRANTD_REDIS_SERVER", "redis-server")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class RedisError(Exception):
    """An error reply."""


class RedisServer:
    """`options` are directives of redis.conf as {"name": "value"}; `certificate` makes the port speak TLS alone."""

    def __init__(self, certificate=None, authority=None, **options):
        self.directory = Path(tempfile.mkdtemp(prefix="redis-"))
        self.directory.chmod(0o755)
        self.socket = self.directory / "redis.sock"
        self.port = free_port()
        ports = {"port": self.port}
        if certificate:
            ports = {"port": 0, "tls-port": self.port, "tls-cert-file": certificate.certificate,
                     "tls-key-file": certificate.key, "tls-ca-cert-file": authority.certificate, "tls-auth-clients": "no"}
        self.options = ports | {name.replace("_", "-"): value for name, value in options.items()}
        self.process = None
        self.start()

    @property
    def url(self):
        return f"redis+unix://{self.socket}"

    @property
    def tcp_url(self):
        return f"redis://127.0.0.1:{self.port}"

    def start(self):
        settings = {"bind": "127.0.0.1", "unixsocket": self.socket, "unixsocketperm": "777", "save": '""', "appendonly": "no",
                    "dir": self.directory, "daemonize": "no"} | self.options
        (self.directory / "redis.conf").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen([program, self.directory / "redis.conf"], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        deadline = time.monotonic() + patience
        while not self._answers():
            assert self.process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.01)
        return self

    def _answers(self):
        try:
            self("PING")
        except RedisError:
            return True
        except OSError:
            return False
        return True

    def pause(self):
        """It keeps its connections and says nothing any more."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait(patience)

    def close(self):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __call__(self, *words):
        """One command on a connection of its own: text as bytes, numbers, lists, None."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(patience)
            connection.connect(str(self.socket))
            password = self.options.get("requirepass")
            with connection.makefile("rwb") as stream:
                if password:
                    _ask(stream, "AUTH", password)
                return _ask(stream, *words)

    def names(self, pattern="*"):
        return sorted(name.decode() for name in self("KEYS", pattern))

    def entries(self):
        """{name: bytes} of the entries, without leases."""
        return {name: self("GET", name) for name in self.names() if not name.endswith(":lease")}


def _ask(stream, *words):
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    stream.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
    stream.flush()
    return _reply(stream)


def _reply(stream):
    line = stream.readline()
    if not line:
        raise ConnectionError("redis-server ended the connection")
    kind, text = line[:1], line[1:].strip()
    if kind == b"-":
        raise RedisError(text.decode())
    if kind == b":":
        return int(text)
    if kind == b"$":
        return None if int(text) < 0 else stream.read(int(text) + 2)[:-2]
    if kind == b"*":
        return [_reply(stream) for _ in range(int(text))]
    return text
