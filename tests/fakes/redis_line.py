"""A long line between a daemon and a real redis-server: all that is sent arrives half a round trip later, however much is on
its way, and a connection costs a round trip of its own."""

import queue
import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path


class RedisLine:
    def __init__(self, redis, round_trip):
        self.redis, self.round_trip = redis, round_trip
        self.asked = []  # what daemons sent, by the piece
        self.connections = 0
        self.directory = Path(tempfile.mkdtemp(prefix="line-"))
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(self.directory / "redis.sock"))
        self.directory.chmod(0o755)
        (self.directory / "redis.sock").chmod(0o777)
        self.listener.listen(128)
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self):
        return f"redis+unix://{self.directory / 'redis.sock'}"

    def close(self):
        self.listener.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
                upstream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                upstream.connect(str(self.redis.socket))
            except OSError:
                return
            self.connections += 1
            there = time.monotonic() + self.round_trip
            self._carry(connection, upstream, there, self.asked.append)
            self._carry(upstream, connection, there, lambda piece: None)

    def _carry(self, source, destination, there, note):
        """Nothing departs before `there`."""
        under_way = queue.Queue()

        def take():
            while True:
                try:
                    piece = source.recv(65536)
                except OSError:
                    piece = b""
                note(piece)
                under_way.put((max(time.monotonic(), there) + self.round_trip / 2, piece))
                if not piece:
                    return

        def give():
            while True:
                at, piece = under_way.get()
                time.sleep(max(0, at - time.monotonic()))
                try:
                    if not piece:
                        return destination.shutdown(socket.SHUT_WR)
                    destination.sendall(piece)
                except OSError:
                    return None

        for way in (take, give):
            threading.Thread(target=way, daemon=True).start()
