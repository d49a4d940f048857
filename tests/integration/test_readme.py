"""The examples of README.md, run as they stand there. Only what cannot be on this machine is replaced: the servers'
addresses, the secret's file and the socket's path."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from api_server import respond
from grantd import build, is_sanitized, new_secret

root = Path(__file__).parents[2]
readme = (root / "README.md").read_text()
standard_socket = "/run/grantd/grantd.sock"


def examples(language):
    """The code blocks of the language that are marked as tested."""
    found = re.findall(rf"<!-- tested: {language} -->\n```{language}\n(.*?)```", readme, re.S)
    assert found, f"README.md has no tested example in {language}"
    return found


@pytest.fixture
def daemon(make_daemon, authorization_server, api_server):
    api_server.on("/v1/products", respond(200, [("Content-Type", "application/json")], b'["pencil"]'))
    daemon = make_daemon("")
    secret = daemon.directory / "catalog.secret"
    secret.write_text(new_secret())
    text = "\n".join(examples("toml"))
    for shown, here in (("https://login.example.com", authorization_server.origin),
                        ("https://catalog.example.com", api_server.origin),
                        ("/etc/grantd/catalog.secret", str(secret))):
        assert shown in text
        text = text.replace(shown, here)
    text = re.sub(r"^(token_endpoint|base_url) = ", r"allow_insecure_http = true\n\1 = ", text, flags=re.M)
    daemon.configure(f'[daemon]\nsocket = "{daemon.socket}"\n\n{text}')
    return daemon.start()


def test_the_configuration_and_the_commands_work(daemon, authorization_server, api_server):
    printed = []
    for line in "".join(examples("sh")).splitlines():
        assert standard_socket in line
        command = line.replace(standard_socket, str(daemon.socket))
        result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=20)
        assert result.returncode == 0, result
        printed.append(result.stdout)
    value = daemon.get_token("catalog.client").token
    assert value in printed[0] and printed[-1] == '["pencil"]'
    assert api_server.tokens == [value] and authorization_server.count == 1


@pytest.mark.skipif(is_sanitized(), reason="the program would have to be built with the sanitizer as well")
def test_the_program_builds_and_works(daemon, directory):
    for number, text in enumerate(examples("cpp")):
        source, program = directory / f"example{number}.cpp", directory / f"example{number}"
        source.write_text(text)
        library = build / "client-lib"
        built = subprocess.run(["g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", "-I", root / "client-lib/include",
                                source, "-o", program, "-L", library, f"-Wl,-rpath,{library}", "-lgrantd"],
                               capture_output=True, text=True, timeout=120)
        assert built.returncode == 0, built.stderr
        result = subprocess.run([program], capture_output=True, text=True, timeout=20,
                                env={**os.environ, "GRANTD_SOCKET": str(daemon.socket)})
        assert result.returncode == 0, result
        assert "Bearer" in result.stdout and '["pencil"]' in result.stdout


@pytest.mark.skipif(is_sanitized(), reason="the program would have to be built with the sanitizer as well")
def test_the_c_program_builds_and_works(daemon, directory):
    for number, text in enumerate(examples("c")):
        source, program = directory / f"example{number}.c", directory / f"example{number}"
        source.write_text(text)
        library = build / "client-lib"
        built = subprocess.run(["gcc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", root / "client-lib/include",
                                source, "-o", program, "-L", library, f"-Wl,-rpath,{library}", "-lgrantd"],
                               capture_output=True, text=True, timeout=120)
        assert built.returncode == 0, built.stderr
        result = subprocess.run([program], capture_output=True, text=True, timeout=20,
                                env={**os.environ, "GRANTD_SOCKET": str(daemon.socket)})
        assert result.returncode == 0 and "Bearer" in result.stdout, result


def test_every_file_it_names_is_there():
    for name in re.findall(r"\]\(([^)#:]+)\)", readme) + re.findall(r"^(tools/\w+)", readme, re.M):
        assert (root / name).exists(), name
