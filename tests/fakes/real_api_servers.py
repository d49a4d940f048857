"""Servers that stand for APIs and that nobody here wrote: nginx, and from npm an echo and an event server
(tests/fakes/api-servers)."""

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

folder = Path(__file__).parent / "api-servers"


class NpmServer:
    """A server from npm on a free port of the loopback interface; `send` writes to its standard input."""

    def __init__(self, name, *arguments):
        self._process = subprocess.Popen(
            ["node", "-r", str(folder / "on-loopback.cjs"), str(folder / "node_modules/.bin" / name), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in self._process.stderr:
            if line.startswith('{"port"'):
                self.origin = f"http://127.0.0.1:{json.loads(line)['port']}"
                return
        raise AssertionError(f"{name} did not start; is it installed (npm ci in {folder})?")

    def send(self, text):
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def close(self):
        self._process.terminate()
        self._process.communicate(timeout=10)


class Nginx:
    """nginx with files below `root`, over http and, with a certificate, https."""

    def __init__(self, directory, certificate):
        self.root = directory / "root"
        self.root.mkdir()
        self._directory = directory
        self._log = directory / "access.log"
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
            port, tls_port = one.getsockname()[1], other.getsockname()[1]
        self.origin, self.tls_origin = f"http://127.0.0.1:{port}", f"https://127.0.0.1:{tls_port}"
        temporary = "\n".join(f"  {kind}_temp_path {directory}/{kind};"
                              for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        configuration = directory / "nginx.conf"
        configuration.write_text(f"""
{"user root;" if os.geteuid() == 0 else ""}
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 256; }}
http {{
{temporary}
  log_format seen escape=json '{{"method":"$request_method","uri":"$request_uri","host":"$http_host",'
                  '"authorization":"$http_authorization","tls":"$https"}}';
  access_log {self._log} seen;
  types {{ text/plain txt; }}
  default_type application/octet-stream;
  keepalive_requests 5;
  keepalive_timeout 2s;
  gzip on;
  gzip_types text/plain;
  gzip_min_length 100;
  ssl_certificate {certificate.certificate};
  ssl_certificate_key {certificate.key};
  server {{
    listen 127.0.0.1:{port};
    listen 127.0.0.1:{tls_port} ssl;
    root {self.root};
  }}
}}
""")
        program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
        assert program, "nginx is not installed"
        self._process = subprocess.Popen([program, "-e", f"{directory}/error.log", "-c", str(configuration)])
        self._wait(port)

    def _wait(self, port):
        deadline = time.monotonic() + 10
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                assert self._process.poll() is None and time.monotonic() < deadline, "nginx did not start"
                time.sleep(0.01)

    def put(self, name, content):
        (self.root / name).write_bytes(content)

    def seen(self):
        """What it logged of its requests."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def close(self):
        self._process.terminate()
        self._process.wait(10)
