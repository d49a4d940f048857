#!/usr/bin/env python3
"""Fails on an include that goes up: docs/ARCHITECTURE.md says which layer may use which, this is the same as a table."""

import re
import sys
from pathlib import Path

root = Path(__file__).resolve().parent.parent

# What a folder may include besides itself. A name ending in .hpp is that header alone. The longest matching folder counts.
may_use = {
    "common": [],
    "config": ["common"],
    "client-lib": ["common", "grantd"],
    "cli": ["common", "config", "client-lib", "grantd", "daemon/oauth/credential_check.hpp"],
    "examples": ["grantd"],
    "daemon/loop": ["common"],
    "daemon/http1": ["common"],
    "daemon/metrics": ["common"],
    "daemon/authz": ["common", "config/accounts.hpp", "config/settings.hpp"],
    "daemon/secrets": ["common", "config/settings.hpp"],
    "daemon/crypto": ["common", "config/settings.hpp"],
    "daemon/service": ["common", "config/settings.hpp"],
    "daemon/http": ["common", "config/settings.hpp", "daemon/crypto", "daemon/http1", "daemon/loop"],
    "daemon/oauth": ["common", "config/settings.hpp", "config/credential_judge.hpp", "daemon/secrets", "daemon/crypto", "daemon/http"],
    "daemon/cache": ["common", "config/settings.hpp", "daemon/oauth/token.hpp", "daemon/metrics"],
    "daemon/kept": ["common", "config/settings.hpp", "daemon/cache/token_keeper.hpp", "daemon/crypto", "daemon/oauth/dpop_proof.hpp",
                    "daemon/oauth/token.hpp"],
    "daemon/shared": ["common", "config/settings.hpp", "daemon/cache", "daemon/crypto", "daemon/http/connector.hpp",
                      "daemon/http/timed_socket.hpp", "daemon/loop", "daemon/metrics", "daemon/oauth", "daemon/secrets"],
    "daemon/catalog": ["common", "config/settings.hpp", "daemon/authz", "daemon/cache", "daemon/loop", "daemon/metrics",
                       "daemon/oauth/token.hpp"],
    "daemon/server": ["common", "config/load.hpp", "config/settings.hpp", "daemon/authz", "daemon/cache", "daemon/catalog", "daemon/http1",
                      "daemon/loop", "daemon/metrics", "daemon/oauth/dpop_proof.hpp", "daemon/oauth/token.hpp"],
    "daemon/proxy": ["common", "config/settings.hpp", "daemon/authz", "daemon/cache", "daemon/catalog", "daemon/crypto",
                     "daemon/http", "daemon/http1", "daemon/loop", "daemon/metrics", "daemon/oauth/dpop_nonces.hpp",
                     "daemon/oauth/dpop_proof.hpp", "daemon/oauth/token.hpp", "daemon/server/handler.hpp"],
    "daemon/publish": ["common", "daemon/cache/page_publisher.hpp", "daemon/cache/refresh_policy.hpp", "daemon/kept", "daemon/metrics",
                       "daemon/oauth/token.hpp"],
    "daemon/app": ["common", "config", "daemon"],
    "daemon/main.cpp": ["common", "config", "daemon/app", "daemon/crypto/wiped_memory.hpp"],
}
# Third-party headers that one folder alone may name, so that each stays replaceable.
only_in = {
    r"openssl/": ["daemon/crypto", "examples", "bench", "tests"],
    r"toml\+\+/": ["config"],
    r"httplib\.h": ["daemon/http", "examples", "tests"],
    r"prometheus/": ["daemon/metrics"],
    r"systemd/": ["daemon/service"],
    r"hiredis/": ["daemon/shared"],
    r"CLI/": ["cli", "daemon/main.cpp"],
    r"boost/": ["daemon", "bench", "examples", "tests"],
    r"nlohmann/": ["daemon", "cli", "examples", "bench", "tests"],
}
include = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.M)


def within(path, folder):
    return path == folder or path.startswith(folder + "/")


def layer_of(path):
    return max((folder for folder in may_use if within(path, folder)), key=len, default=None)


def offences():
    for file in sorted(root.rglob("*.[ch]pp")):
        path = str(file.relative_to(root))
        if path.startswith("build") or "node_modules" in path:
            continue
        layer = layer_of(path)
        for bracket, name in include.findall(file.read_text(errors="replace")):
            for pattern, homes in only_in.items():
                if re.match(pattern, name) and not any(within(path, home) for home in homes):
                    yield f"{path}: includes <{name}>, which belongs to {' and '.join(homes)}"
            if layer is None or (bracket == "<" and not name.startswith("grantd/")):
                continue
            home = layer.removesuffix("/main.cpp")
            if within(name, home) and layer != "daemon/main.cpp":
                continue
            if (root / path).parent.joinpath(name).exists():  # beside it
                continue
            if not any(within(name, allowed) for allowed in may_use[layer]):
                yield f"{path}: {layer} may not include {name}"
        if path.startswith("daemon/") and layer is None:
            yield f"{path}: belongs to no layer"


found = list(offences())
print("\n".join(found))
sys.exit(1 if found else 0)
