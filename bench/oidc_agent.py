"""oidc-agent, which gives the tokens of its user's accounts to the user's programs over a Unix socket."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import subjects
from authorization_server import AuthorizationServer

account = "bench"
question = json.dumps({"request": "access_token", "account": account, "min_valid_period": 60, "application_hint": "bench"})


def is_installed():
    return shutil.which("oidc-agent") is not None and shutil.which("oidc-gen") is not None


class OidcAgent(subjects.Subject):
    """With one account, whose token it keeps; it has a process of its own for its secrets."""

    def __init__(self, directory, program, cpu, server_cpu):
        self.server = AuthorizationServer(directory, program, server_cpu, lifetime=3600)
        home = directory / "oidc-agent"
        (home / ".oidc-agent").mkdir(parents=True)
        self._environment = {**os.environ, "HOME": str(home), "OIDC_SOCK": str(home / "agent.sock")}
        command = ["env", f"HOME={home}", "oidc-agent", "--console", "--no-webserver", "--no-scheme",
                   f"--socket-path={home}/agent.sock"]
        super().__init__("oidc-agent", command, home / "agent.sock", cpu)

    def processes(self):
        own = super().processes()[0]
        children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
        return [own, *map(int, children)]

    def wait(self, target=None):
        deadline = time.monotonic() + 10
        while not self.socket.exists():
            if time.monotonic() > deadline:
                raise SystemExit("oidc-agent makes no socket")
            time.sleep(0.01)
        command = ["oidc-gen", "--rt=again", f"--issuer={self.server.issuer}", f"--cp={self.server.certificate}", "--client-id=bench",
                   "--client-secret=of the benchmark", "--scope=openid offline_access", "--pw-cmd=echo of the benchmark", "--manual",
                   "--prompt=none", "--confirm-default", account]
        made = subprocess.run(command, env=self._environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if made.returncode != 0:
            raise SystemExit(f"oidc-gen cannot make an account: {made.stdout}{made.stderr}")

    def stop(self):
        super().stop()
        self.server.stop()
