"""The examples of README.md do what it says. Only addresses and paths are replaced."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from grantd import build, new_secret

root = Path(__file__).resolve().parents[2]


def example(language):
    found = re.findall(rf"<!-- tested: {language} -->\n```{language}\n(.*?)```", (root / "README.md").read_text(), re.S)
    assert len(found) == 1
    return found[0]


@pytest.fixture
def readme_daemon(make_daemon, authorization_server, api_server, directory):
    secret = directory / "secret"
    secret.write_text(new_secret() + "\n")
    text = example("toml")
    for there, here in (("https://login.example.com/oauth2/token", authorization_server.token_endpoint),
                        ("https://catalog.example.com/v1", api_server.origin),
                        ("/etc/grantd/catalog.secret", str(secret))):
        assert there in text
        text = text.replace(there, here)
    text = re.sub(r"^(\[(?:clients|apis)\..*\])$", r"\1\nallow_insecure_http = true", text, flags=re.M)
    daemon = make_daemon(text)
    daemon.configure(f'[daemon]\nsocket = "{daemon.socket}"\n{text}')
    return daemon.start()


def test_the_shell_examples_give_a_token_and_an_answer(readme_daemon):
    commands = example("sh").strip().splitlines()
    assert len(commands) == 2
    outputs = []
    for command in commands:
        assert "/run/grantd/grantd.sock" in command
        command = command.replace("/run/grantd/grantd.sock", str(readme_daemon.socket)).replace("curl", "curl -sf", 1)
        outputs.append(subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout)
    assert '"access_token"' in outputs[0]
    assert "/products" in outputs[1]


def test_the_program_builds_and_prints_what_the_api_answered(readme_daemon, tmp_path):
    source, program = tmp_path / "example.cpp", tmp_path / "example"
    source.write_text(example("cpp"))
    library = build / "client-lib"
    subprocess.run(["g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", f"-I{root}/client-lib/include", str(source), "-o",
                    str(program), f"-L{library}", "-lgrantd"], check=True, timeout=120)
    surroundings = {**os.environ, "GRANTD_SOCKET": str(readme_daemon.socket), "LD_LIBRARY_PATH": str(library)}
    printed = subprocess.run([str(program)], check=True, capture_output=True, text=True, timeout=30, env=surroundings).stdout
    assert printed.startswith("got a token of type Bearer\n")
    assert "/products" in printed
