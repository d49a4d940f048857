"""A Unix socket in front of a real redis-server, which a daemon takes for the server's."""

import shutil
import socket
import tempfile
import threading
from pathlib import Path


class RedisFront:
    """`serve(connection, upstream)`, on a thread of its own for each connection, has both ends and closes them."""

    def __init__(self, redis, serve):
        self._redis, self._serve = redis, serve
        self._directory = Path(tempfile.mkdtemp(prefix="front-"))
        self._directory.chmod(0o755)
        path = self._directory / "redis.sock"
        self.url = f"redis+unix://{path}"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        path.chmod(0o777)
        self._listener.listen(128)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(connection,), daemon=True).start()

    def _connect(self, connection):
        upstream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            upstream.connect(str(self._redis.socket))
        except OSError:
            connection.close()
            upstream.close()
            return
        self._serve(connection, upstream)
