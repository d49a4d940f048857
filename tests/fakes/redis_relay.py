"""Stands between a daemon and a real redis-server and changes what the server says: what no Redis would say, and what a hostile
one might."""

import threading
import time

from redis_front import RedisFront


def read_reply(stream):
    """One reply, as the bytes it is."""
    line = stream.readline()
    if not line:
        raise ConnectionError
    if line[:1] == b"$" and int(line[1:]) >= 0:
        return line + stream.read(int(line[1:]) + 2)
    if line[:1] == b"*" and int(line[1:]) > 0:
        return line + b"".join(read_reply(stream) for _ in range(int(line[1:])))
    return line


def read_command(stream):
    """The words, and the bytes that they came as; nothing at the end."""
    line = stream.readline()
    if not line:
        return None, b""
    words, raw = [], line
    for _ in range(int(line[1:])):
        size = stream.readline()
        word = stream.read(int(size[1:]) + 2)
        words.append(word[:-2])
        raw += size + word
    return words, raw


class RedisRelay:
    """`change(words, reply)` gives what is said instead of the server's reply to a command: bytes, or an iterable of pieces in
    which numbers are seconds to wait; None ends the connection. It may be set anew at any time."""

    def __init__(self, redis, change=lambda words, reply: reply):
        self.change = change
        self.commands = []  # all words of all
        self._closed = threading.Event()
        self._front = RedisFront(redis, self._serve)
        self.url = self._front.url

    def close(self):
        self._closed.set()
        self._front.close()

    def _serve(self, connection, upstream):
        with connection, upstream, connection.makefile("rb") as asked, upstream.makefile("rb") as answered:
            try:
                while (command := read_command(asked))[0]:
                    words, raw = command
                    self.commands.append(words)
                    upstream.sendall(raw)
                    if not self._say(connection, self.change(words, read_reply(answered))):
                        return
            except OSError:
                pass

    def _say(self, connection, said):
        if said is None:
            return False
        for piece in [said] if isinstance(said, bytes) else said:
            if isinstance(piece, bytes):
                connection.sendall(piece)
            else:
                time.sleep(piece)
            if self._closed.is_set():
                return False
        return True
