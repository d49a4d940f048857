"""A long line between a daemon and a real redis-server: all that is sent arrives half a round trip later, however much is on
its way, and a connection costs a round trip of its own."""

import queue
import socket
import threading
import time

from redis_front import RedisFront


class RedisLine:
    def __init__(self, redis, round_trip):
        self.round_trip = round_trip
        self.asked = []  # what daemons sent, by the piece
        self.connections = 0
        self._front = RedisFront(redis, self._serve)
        self.url, self.close = self._front.url, self._front.close

    def _serve(self, connection, upstream):
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
