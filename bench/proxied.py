"""The rows of tools/bench that go through the proxy: requests of 1 KiB, plain and with TLS towards the API, and bodies of
1 GiB. The peer is nginx on the same kind of socket with a fixed Authorization header and kept connections; the floor is a
relay that looks at nothing. Proxies take one CPU; the load, and the API, share another."""

import os
import socket
import statistics
import subprocess
import sys
import threading
import time

import subjects

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

    def __init__(self, bench, program, tls):
        self.bench, self.tls = bench, tls
        self.upstream = subjects.Upstream(bench.directory, program, bench.own_cpu)
        port = self.upstream.tls_port if tls else self.upstream.port
        origin = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        ca_file = self.upstream.certificate if tls else None
        self.servers = [] if tls else [subjects.relay(bench.directory, bench.build, bench.server_cpu, port)]
        self.servers += [subjects.nginx_proxy(bench.directory, program, bench.server_cpu, origin, ca_file),
                         bench.grantd(apis=_apis(origin, ca_file))]

    def run(self):
        print(f"requests through the proxy, 1 KiB answers, {'TLS' if self.tls else 'plain'} towards the API: "
              f"{self.bench.rounds} rounds of {self.bench.seconds:g} s each")
        try:
            for server in self.servers:
                server.wait()
            print("  connections  server       requests/s  CPU us/request    p50 us    p99 us  peak MiB")
            for connections in (1, 16, 256):
                self._compare(connections)
        finally:
            for server in [*self.servers, self.upstream.subject]:
                server.stop()

    def _compare(self, connections):
        runs = {server.name: [] for server in self.servers}
        for turn in range(self.bench.rounds):
            first = turn % len(self.servers)
            for server in self.servers[first:] + self.servers[:first]:
                path = proxy_path if server.name == "grantd" else "/"
                runs[server.name].append(self.bench.load(server, "--connections", connections, "--seconds",
                                                         self.bench.seconds, path=path))

        def median(name, key):
            return statistics.median(run[key] for run in runs[name])

        for server in self.servers:
            name = server.name
            print(f"  {connections:11}  {name:11}  {median(name, 'rate'):10.0f}  {median(name, 'cpu_us'):14.2f}"
                  f"  {median(name, 'p50_us'):8.1f}  {median(name, 'p99_us'):8.1f}"
                  f"  {server.resident_bytes(peak=True) / 2**20:8.1f}")

        def ratio(peer, key):
            pairs = zip(runs["grantd"], runs[peer], strict=True)
            return statistics.median(mine[key] / theirs[key] for mine, theirs in pairs)

        floor = f", {ratio('relay', 'rate'):.2f} times the relay's" if "relay" in runs else ""
        self.bench.verdict(f"throughput {ratio('nginx-proxy', 'rate'):.2f} times nginx's (at least 1.0){floor}",
                           ratio("nginx-proxy", "rate") >= 1)
        floor = f", {ratio('relay', 'cpu_us'):.2f} times the relay's" if "relay" in runs else ""
        self.bench.verdict(f"CPU per request {ratio('nginx-proxy', 'cpu_us'):.2f} times nginx's (at most 1.0){floor}",
                           ratio("nginx-proxy", "cpu_us") <= 1)


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

    def __init__(self, bench, program):
        self.bench = bench
        reading, writing = os.pipe()
        self.api = subprocess.Popen([sys.executable, __file__, str(writing)], pass_fds=[writing])
        os.close(writing)
        with os.fdopen(reading) as ports:
            origin = f"http://127.0.0.1:{ports.readline().strip()}"
        self.servers = [subjects.nginx_proxy(bench.directory, program, bench.server_cpu, origin),
                        bench.grantd(apis=_apis(origin))]

    def run(self):
        rounds = max(3, self.bench.rounds // 2)
        print(f"bodies of 1 GiB through the proxy: {rounds} rounds")
        try:
            for server in self.servers:
                server.wait()
            for direction, move in (("down", self._down), ("up", self._up)):
                self._compare(direction, move, rounds)
        finally:
            for server in self.servers:
                server.stop()
            self.api.kill()
            self.api.wait()

    def _compare(self, direction, move, rounds):
        runs = {server.name: [] for server in self.servers}
        grown = 0
        for turn in range(rounds):
            for server in self.servers[turn % 2:] + self.servers[:turn % 2]:
                before, used = server.resident_bytes(), server.cpu_seconds()
                begun = time.monotonic()
                move(server)
                runs[server.name].append((body / (time.monotonic() - begun), server.cpu_seconds() - used))
                if server.name == "grantd":
                    grown = max(grown, server.resident_bytes(peak=True) - before)
        for name, values in runs.items():
            rate, used = (statistics.median(value[i] for value in values) for i in range(2))
            print(f"  {direction:4}  {name:11}  {rate / 2**20:8.0f} MiB/s  CPU {used:.2f} s")
        pairs = list(zip(runs["grantd"], runs["nginx-proxy"], strict=True))
        ratio = statistics.median(mine[0] / theirs[0] for mine, theirs in pairs)
        self.bench.verdict(f"throughput {ratio:.2f} times nginx's (at least 1.0)", ratio >= 1)
        self.bench.verdict(f"resident memory grows by {grown / 2**20:.1f} MiB (less than 8)", grown < 8 << 20)

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


if __name__ == "__main__":
    serve_bulk(int(sys.argv[1]))
