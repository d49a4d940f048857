"""The C interface as its users meet it: the header in either language, and the Python example over the shared library."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from api_server import respond
from grantd import build, client, is_sanitized

root = Path(__file__).parents[2]
example = root / "examples/worker_ctypes.py"
needs_a_plain_library = pytest.mark.skipif(is_sanitized(), reason="Python would have to be built with the sanitizer as well")


@pytest.mark.parametrize("compiler", [["gcc", "-std=c99"], ["gcc", "-std=c17"], ["g++", "-std=c++20"], ["g++", "-std=c++17"]],
                         ids=lambda command: command[1])
def test_the_header_compiles_in_either_language_without_a_warning(tmp_path, compiler):
    source = tmp_path / ("user.c" if compiler[0] == "gcc" else "user.cpp")
    source.write_text("#include <grantd/grantd.h>\n"
                      "grantd_client_options options = GRANTD_CLIENT_OPTIONS_INIT;\n"
                      "grantd_token_request wishes = GRANTD_TOKEN_REQUEST_INIT;\n"
                      "grantd_request request = GRANTD_REQUEST_INIT;\n")
    done = subprocess.run([*compiler, "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-fsyntax-only", "-I",
                           root / "client-lib/include", source], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def work(start_daemon, authorization_server, api_server):
    """Runs the example against a daemon and an API."""
    daemon = start_daemon({"clients": {"catalog.client": client(authorization_server)}})
    api_server.on("/products", respond(200, [("Content-Type", "application/json")], b'["pencil"]'))

    def run(socket=daemon.socket):
        return subprocess.run([sys.executable, example], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "LIBGRANTD": str(build / "client-lib/libgrantd.so.1"),
                                   "GRANTD_SOCKET": str(socket), "CATALOG_URL": f"{api_server.origin}/products"})

    return daemon, run


@needs_a_plain_library
def test_the_python_example_calls_an_api(work, api_server):
    daemon, run = work
    done = run()
    assert (done.returncode, done.stdout) == (0, 'worker: 200 ["pencil"]\n'), done
    assert api_server.tokens == [daemon.get_token("catalog.client").token]


@needs_a_plain_library
def test_the_python_example_asks_for_another_token_when_the_api_refuses_one(work, api_server, authorization_server):
    daemon, run = work
    refused = daemon.get_token("catalog.client").token
    api_server.refused.add(refused)
    done = run()
    assert (done.returncode, done.stdout) == (0, 'worker: 200 ["pencil"]\n'), done
    assert api_server.tokens == [refused, daemon.get_token("catalog.client").token]
    assert authorization_server.count == 2


@needs_a_plain_library
def test_the_python_example_says_why_it_has_no_token(work, tmp_path):
    _, run = work
    done = run(socket=tmp_path / "nobody")
    assert done.returncode == 1 and done.stderr.startswith("worker: daemon_unreachable: no answer from grantd"), done
