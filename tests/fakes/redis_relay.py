"""Stands between a daemon and a real redis-server and changes what the server says: what no Redis would say, and what a hostile
one might."""

import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path


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
        self.redis, self.change = redis, change
        self.commands = []  # all words of all
        self.directory = Path(tempfile.mkdtemp(prefix="relay-"))
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(self.directory / "redis.sock"))
        self.directory.chmod(0o755)
        (self.directory / "redis.sock").chmod(0o777)
        self.listener.listen(128)
        self.closed = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self):
        return f"redis+unix://{self.directory / 'redis.sock'}"

    def close(self):
        self.closed.set()
        self.listener.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(connection,), daemon=True).start()

    def _relay(self, connection):
        with connection, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as upstream:
            try:
                upstream.connect(str(self.redis.socket))
                with connection.makefile("rb") as asked, upstream.makefile("rb") as answered:
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
            if self.closed.is_set():
                return False
        return True
