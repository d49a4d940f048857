"""Starts oidc-provider (tests/fakes/oidc-provider) and asks it about the tokens it issued."""

import base64
import json
import ssl
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

folder = Path(__file__).parent / "oidc-provider"
# Asks about tokens of clients that prove themselves by other means than a secret.
_inspector = {"client_id": "inspector", "client_secret": "introspection only", "scope": "catalog"}


class RealAuthorizationServer:
    def __init__(self, clients, resources=None, certificate=None, authority=None, dpop_nonces=False):
        """`certificate` turns TLS on, `authority` client certificates with it."""
        clients = [*clients, _inspector]
        configuration = {"clients": clients, "resources": resources or {}, "dpop_nonces": dpop_nonces}
        if certificate:
            configuration |= {"certificate": certificate.certificate.read_text(), "key": certificate.key.read_text()}
        if authority:
            configuration |= {"authority": authority.certificate.read_text()}
        self._tls = ssl._create_unverified_context() if certificate else None
        self.clients = {client["client_id"]: client for client in clients}
        self._process = subprocess.Popen(["node", str(folder / "server.mjs")], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._process.stdin.write(json.dumps(configuration) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"oidc-provider did not start; is it installed (npm ci in {folder})?"
        self.issuer = json.loads(line)["issuer"]

    def close(self):
        self._process.stdin.close()
        self._process.wait(10)

    @property
    def token_endpoint(self):
        return self.issuer + "/token"

    def token_requests(self, client_id):
        """How many token requests it has seen of this client, successful or not."""
        return json.loads(self._open(self.issuer + "/test/token-requests")).get(client_id, 0)

    def introspect(self, token, client_id="inspector"):
        return json.loads(self._post("/token/introspection", token, client_id))

    def revoke(self, token, client_id):
        self._post("/token/revocation", token, client_id)

    def _post(self, path, token, client_id):
        client = self.clients[client_id]
        form = {"token": token}
        headers = {}
        if client.get("token_endpoint_auth_method") == "client_secret_post":
            form |= {"client_id": client_id, "client_secret": client["client_secret"]}
        else:
            pair = ":".join(urllib.parse.quote_plus(client[name]) for name in ("client_id", "client_secret"))
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        request = urllib.request.Request(self.issuer + path, urllib.parse.urlencode(form).encode(), headers)
        return self._open(request)

    def _open(self, request):
        with urllib.request.urlopen(request, timeout=10, context=self._tls) as response:
            return response.read()
