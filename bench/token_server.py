"""An authorization server for benchmarks: it gives 900-byte tokens, counts its requests and takes as long as it is told."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

token_size = 900


class TokenServer:
    def __init__(self):
        self.delay = 0.0  # seconds before an answer
        self.lifetime = 3600
        self.requests = 0
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                body = server.answer()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}/token"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def answer(self):
        with self._lock:
            self.requests += 1
            number = self.requests
        time.sleep(self.delay)
        return json.dumps({"access_token": f"{number:08}".ljust(token_size, "t"), "token_type": "Bearer",
                           "expires_in": self.lifetime, "scope": "bench"}).encode()
