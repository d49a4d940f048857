"""An authorization server that costs next to nothing: nginx with a fixed answer but for a number that is another one each time.
For what needs more requests than one in Python can answer, and for clients that insist on TLS and discovery."""

import re

import subjects
from token_server import token_size


class AuthorizationServer:
    def __init__(self, directory, program, cpu, lifetime):
        """`lifetime` of its tokens, in seconds."""
        plain, tls = subjects.free_ports(2)
        self.certificate = subjects.certificate(directory)
        self.issuer = f"https://127.0.0.1:{tls}/"
        self.token_endpoint = f"http://127.0.0.1:{plain}/token"
        token = "${request_id}" + "t" * (token_size - 32)
        self.subject = subjects.run_nginx("authorization", directory, program, cpu, f"""
  ssl_certificate {self.certificate};
  ssl_certificate_key {directory}/upstream.key;
  server {{
    listen unix:{directory}/authorization.sock;
    listen 127.0.0.1:{plain} backlog=4096;
    listen 127.0.0.1:{tls} ssl;
    location = /.well-known/openid-configuration {{
      return 200 '{{"issuer": "{self.issuer}", "token_endpoint": "{self.issuer}token", "response_types_supported": ["code"],
        "authorization_endpoint": "{self.issuer}authorize", "grant_types_supported": ["refresh_token", "client_credentials"],
        "scopes_supported": ["openid", "offline_access"]}}';
    }}
    location = /token {{
      return 200 '{{"access_token": "{token}", "token_type": "Bearer", "expires_in": {lifetime}, "refresh_token": "again"}}';
    }}
    location = /counters {{ stub_status; }}
    location / {{ return 200 "here"; }}
  }}""")
        self.subject.wait()

    def requests(self):
        """Token requests since the last call."""
        counters = subjects.get(self.subject.socket, "/counters").decode()
        total = int(re.search(r"\n *\d+ +\d+ +(\d+)", counters)[1])
        since = total - self._seen - 1  # this one's own
        self._seen = total
        return since

    _seen = 0

    def stop(self):
        self.subject.stop()
