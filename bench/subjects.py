"""The programs that a benchmark compares, each alone on one CPU and serving one Unix socket: grantd, nginx as its peer, and
a bare epoll loop as the floor. What they used of CPU and memory is read from /proc."""

import os
import re
import resource
import socket
import subprocess
import time
from pathlib import Path

body_size = 1024
token_path = "/v1/tokens/x"


def allow_many_descriptors():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Subject:
    """A running server; `name` is for the tables."""

    def __init__(self, name, command, path, cpu):
        self.name, self.socket = name, path

        def prepare():
            os.sched_setaffinity(0, {cpu})
            allow_many_descriptors()

        self.started = time.monotonic()
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=prepare)

    def wait(self):
        """Returns the seconds from the start to the first answer."""
        while not get(self.socket):
            if self._process.poll() is not None:
                raise SystemExit(f"{self.name} ended with status {self._process.returncode}")
            if time.monotonic() - self.started > 30:
                raise SystemExit(f"{self.name} does not answer")
            time.sleep(0.0002)
        return time.monotonic() - self.started

    def cpu_seconds(self):
        """Of all threads."""
        tasks = Path(f"/proc/{self._process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def resident_bytes(self):
        status = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def get(path, target=token_path):
    """The body of a 200; nothing where the server is not there yet or answers otherwise."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        try:
            connection.connect(str(path))
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            head, body = receive(connection)
        except OSError:
            return None
    return body if head.startswith(b"HTTP/1.1 200") else None


def receive(connection):
    """Head and body of one response with a Content-Length."""
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
        head, end, body = answer.partition(b"\r\n\r\n")
        if end and len(body) >= int(re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)[1]):
            return head, body
    raise ConnectionError("the server closed the connection")


def floor(directory, build, cpu):
    path = directory / "floor.sock"
    return Subject("floor", [build / "bench/epoll_floor", path, str(body_size)], path, cpu)


def nginx(directory, program, cpu):
    path = directory / "nginx.sock"
    configuration = directory / "nginx.conf"
    temporary = "\n".join(f"  {kind}_temp_path {directory}/{kind};"
                          for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    configuration.write_text(f"""
worker_processes 1;
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log;
events {{ worker_connections 8192; }}
http {{
{temporary}
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  default_type application/json;
  server {{
    listen unix:{path} backlog=4096;
    location / {{ return 200 "{'x' * body_size}"; }}
  }}
}}
""")
    return Subject("nginx", [program, "-e", f"{directory}/nginx.log", "-c", configuration], path, cpu)


def grantd(directory, build, cpu, token_endpoint, definitions=("x",)):
    path = directory / "grantd.sock"
    configuration = directory / "grantd.toml"
    clients = "\n".join(f"""
[clients.{name}]
token_endpoint = "{token_endpoint}"
allow_insecure_http = true
client_id = "{name}"
client_secret = "a secret of the benchmark"
scope = "bench"
""" for name in definitions)
    configuration.write_text(f"""
[daemon]
socket = "{path}"
log_level = "warning"
max_connections = 8192
max_connections_per_user = 8192
idle_timeout = "10m"
{clients}""")
    configuration.chmod(0o600)
    return Subject("grantd", [build / "daemon/grantd", "--config", configuration], path, cpu)
