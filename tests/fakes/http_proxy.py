"""An HTTP proxy on the loopback interface: tunnels for CONNECT, requests in absolute form for the rest. It keeps what it was
asked for."""

import socket
import threading
import urllib.parse

from http_wire import Gone, LoopbackServer, Wire


class HttpProxy(LoopbackServer):
    def __init__(self, status=200):
        """`status` is the answer to every CONNECT."""
        self.status = status
        super().__init__()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def targets(self):
        return [f"{request.method} {request.target}" for request in self.requests]

    def serve(self, wire, request):
        self.requests.append(request)
        if request.method == "CONNECT":
            return self._tunnel(wire, request)
        url = urllib.parse.urlsplit(request.target)
        body = b"".join(wire.body_pieces(request))
        head = request.raw_head.replace(request.target.encode(), (url.path or "/").encode(), 1)
        with socket.create_connection((url.hostname, url.port), timeout=30) as api:
            api.sendall(head + body)
            while piece := api.recv(65536):
                wire.send(piece)
        return False

    def _tunnel(self, wire, request):
        if self.status // 100 != 2:
            wire.respond(self.status)
            return False
        host, _, port = request.target.rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), timeout=30) as api:
            wire.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=self._relay, args=(Wire(api), wire))
            back.start()
            self._relay(wire, Wire(api))
            back.join()
        return False

    @staticmethod
    def _relay(source, sink):
        try:
            while piece := source.buffer or source.connection.recv(65536):
                source.buffer = b""
                sink.send(piece)
        except (OSError, Gone):
            pass
        try:
            sink.connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
