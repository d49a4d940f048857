"""The rows of tools/bench that go through the proxy: requests of 1 KiB, plain and with TLS towards the API, and bodies of
1 GiB. The peer is nginx on the same kind of socket with a fixed Authorization header and kept connections; the floor is a
relay that looks at nothing. Proxies take one CPU; the load, and the API, share another."""

import os
import socket
import subprocess
import sys
import threading
import time

import sockets
import subjects
from report import times
from rig import median, ratio

body = 1 << 30
proxy_path = "/v1/proxy/x/"


def _apis(origin, ca_file=None):
    trust = f'tls_ca_file = "{ca_file}"' if ca_file else "allow_insecure_http = true"
    return f"""
[apis.x]
client = "x"
base_url = "{origin}"
{trust}
"""


class Requests:
    """1 KiB answers at several numbers of connections."""

    def __init__(self, rig, tls):
        self.rig, self.tls = rig, tls
        self.floor = None if tls else "relay"
        self.upstream = subjects.Upstream(rig.directory, rig.nginx, rig.own_cpu)
        port = self.upstream.tls_port if tls else self.upstream.port
        origin = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        ca_file = self.upstream.certificate if tls else None
        self.servers = [] if tls else [subjects.relay(rig.directory, rig.build, rig.server_cpu, port)]
        self.servers += [subjects.nginx_proxy(rig.directory, rig.nginx, rig.server_cpu, origin, ca_file),
                         rig.grantd(apis=_apis(origin, ca_file))]

    def run(self):
        rig, kind = self.rig, "TLS" if self.tls else "plain HTTP"
        rounds = 2 * rig.rounds + 1  # a single round is off by more than the proxies differ
        rig.report.section(f"Through the proxy, {kind} to the API",
                           "1 KiB answers. nginx adds a fixed header and keeps its connections to the API"
                           + ("." if self.tls else "; the floor is a relay that looks at nothing.")
                           + f" {rounds} rounds of {rig.seconds:g} s each.")
        rows = []
        try:
            for server in self.servers:
                server.wait()
            for connections in (1, 16, 256):
                runs = rig.in_turns({server.name: self._loader(server, connections) for server in self.servers}, rounds)
                rows += sockets.load_rows(connections, runs)
                sockets.judge_load(rig.report, f"proxy, {kind}, {sockets.counted(connections)}", runs, "nginx-proxy", self.floor)
            rig.report.table(sockets.load_headings, rows)
            peaks = (f"{server.name} {server.resident_bytes(peak=True) / 2**20:.1f} MiB" for server in self.servers)
            rig.report.note(f"Largest resident memory: {', '.join(peaks)}.")
        finally:
            for server in [*self.servers, self.upstream.subject]:
                server.stop()

    def _loader(self, server, connections):
        path = proxy_path if server.name == "grantd" else "/"
        return lambda: self.rig.load(server, "--connections", connections, "--seconds", self.rig.seconds, path=path)


def serve_bulk(port_to):
    """An API with large bodies, in a process of its own: GET gives 1 GiB, PUT takes what comes."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    os.write(port_to, f"{listener.getsockname()[1]}\n".encode())
    piece = bytes(1 << 20)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve_connection, args=(connection, piece), daemon=True).start()


def _serve_connection(connection, piece):
    buffer = bytearray(1 << 20)
    with connection:
        while _serve_one(connection, piece, buffer):
            pass


def _serve_one(connection, piece, buffer):
    head = b""
    while b"\r\n\r\n" not in head:
        got = connection.recv(65536)
        if not got:
            return False
        head += got
    head, _, rest = head.partition(b"\r\n\r\n")
    if head.startswith(b"GET"):
        size = body if b"/large" in head.split(b"\r\n")[0] else subjects.body_size
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for begin in range(0, size, len(piece)):
            connection.sendall(piece[:min(len(piece), size - begin)])
        return True
    left = body - len(rest)
    while left > 0:
        got = connection.recv_into(buffer)
        if not got:
            return False
        left -= got
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    return True


class Bodies:
    """1 GiB down and up."""

    def __init__(self, rig):
        self.rig = rig
        reading, writing = os.pipe()
        self.api = subprocess.Popen([sys.executable, __file__, str(writing)], pass_fds=[writing])
        os.close(writing)
        with os.fdopen(reading) as ports:
            origin = f"http://127.0.0.1:{ports.readline().strip()}"
        self.servers = [subjects.nginx_proxy(rig.directory, rig.nginx, rig.server_cpu, origin),
                        rig.grantd(apis=_apis(origin))]

    def run(self):
        rounds = min(self.rig.rounds, 3)
        self.rig.report.section("Bodies of 1 GiB through the proxy", f"nginx with the buffers that suit it best. {rounds} rounds.")
        try:
            for server in self.servers:
                server.wait()
            rows = []
            for direction, move in (("down", self._down), ("up", self._up)):
                rows += self._compare(direction, move, rounds)
            self.rig.report.table(("direction", "server", "MiB/s", "CPU s"), rows)
        finally:
            for server in self.servers:
                server.stop()
            self.api.kill()
            self.api.wait()

    def _compare(self, direction, move, rounds):
        runs = self.rig.in_turns({server.name: lambda server=server: _transfer(server, move) for server in self.servers}, rounds)
        ours, theirs = runs["grantd"], runs["nginx-proxy"]
        faster, grown = ratio(ours, theirs, "rate"), max(run["grown"] for run in ours)
        what = f"proxy, 1 GiB {direction}"
        self.rig.report.judge(f"{what}: throughput", f"{median(ours, 'rate'):,.0f} MiB/s", "at least 1.0 × nginx", faster >= 1,
                              peer=f"nginx {median(theirs, 'rate'):,.0f} MiB/s", ratio=f"{times(faster)} × nginx")
        self.rig.report.judge(f"{what}: resident memory grows by", f"{grown / 2**20:.1f} MiB", "less than 8 MiB", grown < 8 << 20)
        return [(direction, name, f"{median(one, 'rate'):,.0f}", f"{median(one, 'cpu'):.2f}") for name, one in runs.items()]

    def _connect(self, server, method, extra=""):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(60)
        connection.connect(str(server.socket))
        path = (proxy_path if server.name == "grantd" else "/") + "large"
        connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{extra}\r\n".encode())
        return connection

    def _down(self, server):
        with self._connect(server, "GET") as connection:
            buffer = bytearray(1 << 20)
            seen = connection.recv_into(buffer)
            left = body + buffer.index(b"\r\n\r\n") + 4 - seen
            assert buffer.startswith(b"HTTP/1.1 200")
            while left > 0:
                got = connection.recv_into(buffer)
                assert got, "broken off"
                left -= got

    def _up(self, server):
        piece = bytes(1 << 20)
        with self._connect(server, "PUT", f"Content-Length: {body}\r\n") as connection:
            for _ in range(body // len(piece)):
                connection.sendall(piece)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def _transfer(server, move):
    before, used, begun = server.resident_bytes(), server.cpu_seconds(), time.monotonic()
    move(server)
    return {"rate": body / 2**20 / (time.monotonic() - begun), "cpu": server.cpu_seconds() - used,
            "grown": server.resident_bytes(peak=True) - before}


def plain(rig):
    Requests(rig, tls=False).run()


def tls(rig):
    Requests(rig, tls=True).run()


def bodies(rig):
    Bodies(rig).run()


if __name__ == "__main__":
    serve_bulk(int(sys.argv[1]))
