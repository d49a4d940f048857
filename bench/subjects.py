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

    def wait(self, target=token_path):
        """Returns the seconds from the start to the first 200."""
        while not get(self.socket, target):
            if self._process.poll() is not None:
                raise SystemExit(f"{self.name} ended with status {self._process.returncode}")
            if time.monotonic() - self.started > 30:
                raise SystemExit(f"{self.name} does not answer")
            time.sleep(0.0002)
        return time.monotonic() - self.started

    def processes(self):
        return [self._process.pid]

    def cpu_seconds(self):
        """Of all threads."""
        tasks = [task for process in self.processes() for task in Path(f"/proc/{process}/task").iterdir()]
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def resident_bytes(self, peak=False):
        name = "VmHWM:" if peak else "VmRSS:"
        status = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(name))

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def get(path, target=token_path, method="GET"):
    """The body of a success; nothing where the server is not there yet or answers otherwise."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        try:
            connection.connect(str(path))
            connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            head, body = receive(connection)
        except OSError:
            return None
    return body if head.startswith(b"HTTP/1.1 20") else None


def receive(connection):
    """Head and body of one response with a Content-Length, or without a body."""
    answer, end, size = bytearray(), -1, 0
    while piece := connection.recv(1 << 20):
        answer += piece
        if end < 0 and (end := answer.find(b"\r\n\r\n")) >= 0:
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", answer[:end])
            size = end + 4 + int(length[1] if length else 0)
        if 0 <= end and len(answer) >= size:
            return bytes(answer[:end]), bytes(answer[end + 4:])
    raise ConnectionError("the server closed the connection")


def floor(directory, build, cpu):
    path = directory / "floor.sock"
    path.unlink(missing_ok=True)  # an earlier one's
    return Subject("floor", [build / "bench/epoll_floor", path, str(body_size)], path, cpu)


def run_nginx(name, directory, program, cpu, servers):
    """nginx with these lines of its http block, of which one listens on NAME.sock."""
    path = directory / f"{name}.sock"
    configuration = directory / f"{name}.conf"
    temporary = "\n".join(f"  {kind}_temp_path {directory}/{name}-{kind};"
                          for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    configuration.write_text(f"""
worker_processes 1;
daemon off;
master_process off;
pid {directory}/{name}.pid;
error_log {directory}/{name}.log;
events {{ worker_connections 8192; }}
http {{
{temporary}
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  default_type application/json;
{servers}
}}
""")
    return Subject(name, [program, "-e", f"{directory}/{name}.log", "-c", configuration], path, cpu)


def nginx(directory, program, cpu):
    return run_nginx("nginx", directory, program, cpu, f"""
  server {{
    listen unix:{directory}/nginx.sock backlog=4096;
    location / {{ return 200 "{'x' * body_size}"; }}
  }}""")


class Upstream:
    """The API behind the proxies: nginx with a fixed body, plain and over TLS."""

    def __init__(self, directory, program, cpu):
        self.port, self.tls_port = free_ports(2)
        self.certificate = certificate(directory)
        self.subject = run_nginx("upstream", directory, program, cpu, f"""
  ssl_certificate {self.certificate};
  ssl_certificate_key {directory}/upstream.key;
  server {{
    listen unix:{directory}/upstream.sock;
    listen 127.0.0.1:{self.port} backlog=4096;
    listen 127.0.0.1:{self.tls_port} ssl backlog=4096;
    location / {{ return 200 "{'x' * body_size}"; }}
  }}""")
        self.subject.wait()


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def certificate(directory):
    made = directory / "upstream.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", directory / "upstream.key",
                    "-out", made], check=True, capture_output=True)
    return made


def nginx_proxy(directory, program, cpu, origin, ca_file=None):
    """nginx that adds a fixed Authorization to every request, with kept connections to the API and what it does best for
    large bodies."""
    scheme, address = origin.split("://")
    tls = f"proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca_file}; proxy_ssl_name 127.0.0.1;" if ca_file else ""
    return run_nginx("nginx-proxy", directory, program, cpu, f"""
  upstream api {{ server {address}; keepalive 512; keepalive_requests 1000000000; keepalive_timeout 600s; }}
  client_max_body_size 0;
  client_body_buffer_size 1m;
  server {{
    listen unix:{directory}/nginx-proxy.sock backlog=4096;
    location / {{
      proxy_pass {scheme}://api;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host {address};
      proxy_set_header Authorization "Bearer {'t' * 900}";
      proxy_request_buffering off;
      proxy_buffer_size 64k;
      proxy_buffers 8 64k;
      proxy_busy_buffers_size 128k;
      proxy_max_temp_file_size 0;
      {tls}
    }}
  }}""")


def relay(directory, build, cpu, port):
    path = directory / "relay.sock"
    return Subject("relay", [build / "bench/relay_floor", path, str(port)], path, cpu)


def grantd(directory, build, cpu, token_endpoint, definitions=("x",), keys="", apis=""):
    """`keys` is TOML that each definition has besides, `apis` TOML of further tables."""
    path = directory / "grantd.sock"
    configuration = directory / "grantd.toml"
    clients = "\n".join(f"""
[clients.{name}]
token_endpoint = "{token_endpoint}"
allow_insecure_http = true
client_id = "{name}"
client_secret = "a secret of the benchmark"
scope = "bench"
{keys}""" for name in definitions)
    configuration.write_text(f"""
[daemon]
socket = "{path}"
log_level = "warning"
max_connections = 8192
max_connections_per_user = 8192
idle_timeout = "10m"
{clients}
{apis}""")
    configuration.chmod(0o600)
    return Subject("grantd", [build / "daemon/grantd", "--config", configuration], path, cpu)
