"""The completion for bash, driven as bash drives it, beside a running daemon."""

import os
import pty
import re
import select
import shlex
import socket
import subprocess
import time

import pytest

from grantd import api, build, client, control_program, daemon_program, is_sanitized, patience

# Words arrive split as readline splits them: "=" and "@" are words of their own.
driver = """
source "$1"; shift
name=${1##*/}
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
"_$name" "$1"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(*words, **variables):
    """What is offered for the last of the words."""
    program = words[0]
    result = subprocess.run(["bash", "--norc", "-c", driver, "bash", build / "completions" / program.name, *map(str, words)],
                            capture_output=True, text=True, timeout=patience, cwd=variables.pop("cwd", None),
                            env={**os.environ, **{name: str(value) for name, value in variables.items()}})
    assert result.returncode == 0 and result.stderr == "", result
    return sorted(result.stdout.split())


def help_of(program, *command):
    return subprocess.run([program, *command, "--help"], capture_output=True, text=True, check=True, timeout=patience).stdout


def options_of(program, *command):
    """Every option that begins a line of the help, by a look of its own at the text."""
    return {name for line in help_of(program, *command).splitlines() if (found := re.match(r" +(-[^ =]+)", line))
            for name in found[1].split(",")}


def commands():
    return re.findall(r"^ +([a-z-]+) ", re.split("(?i)\nsubcommands:", help_of(control_program))[1], re.M)


@pytest.fixture
def daemon(start_daemon, authorization_server, api_server):
    return start_daemon({"clients": {"catalog.client": client(authorization_server), "catalog2": client(authorization_server),
                                     "invoice.client": client(authorization_server)},
                         "apis": {"catalog": api(api_server, "catalog.client"), "invoices": api(api_server, "invoice.client")}})


def test_every_option_of_the_help_is_offered():
    assert {"--socket", "--help"} <= options_of(control_program)
    assert set(complete(control_program, "-")) == options_of(control_program)
    assert set(complete(daemon_program, "-")) == options_of(daemon_program)
    assert {"token", "wait-ready"} <= set(commands())
    for command in commands():
        assert set(complete(control_program, command, "-")) == options_of(control_program, command), command
    assert complete(control_program, "token", "x", "--f") == ["--force-renewal"]


def test_every_command_of_the_help_is_offered():
    assert complete(control_program, "") == sorted(commands())
    assert complete(control_program, "--socket", "/x", "ev") == ["evict"]


def test_names_are_those_of_the_daemon(daemon):
    at = {"GRANTD_SOCKET": daemon.socket}
    for command in ("token", "evict", "doctor"):
        assert complete(control_program, command, "", **at) == ["catalog.client", "catalog2", "invoice.client"]
    assert complete(control_program, "token", "--scope", "s", "--json", "inv", **at) == ["invoice.client"]
    assert complete(control_program, "call", "", **at) == ["catalog", "invoices"]
    assert complete(control_program, "call", "-X", "PUT", "-H", "A: b", "cat", **at) == ["catalog"]
    assert complete(control_program, "call", "catalog", "", **at) == []
    assert complete(control_program, "token", "catalog2", "", **at) == []


def test_the_socket_that_is_given_is_asked(daemon):
    nowhere = {"GRANTD_SOCKET": daemon.directory / "absent"}
    assert complete(control_program, "token", "", **nowhere) == []
    for words in (["--socket", daemon.socket, "token"], ["token", "--socket", "=", daemon.socket]):
        assert complete(control_program, *words, "invo", **nowhere) == ["invoice.client"]


def test_a_daemon_that_does_not_answer_is_not_waited_for(directory):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / "silent"))
        listener.listen()
        began = time.monotonic()
        assert complete(control_program, "token", "", GRANTD_SOCKET=directory / "silent") == []
        assert time.monotonic() - began < (patience if is_sanitized() else 5)


def test_values_are_completed_by_their_kind(directory):
    for name in ("grantd.toml", "grantd.sock", "other file"):
        (directory / name).touch()
    found = ["grantd.sock", "grantd.toml"]
    assert complete(control_program, "check", "grant", cwd=directory) == found
    assert complete(control_program, "--socket", "grant", cwd=directory) == found
    assert complete(daemon_program, "--config", "grant", cwd=directory) == found
    assert complete(daemon_program, "--config", "=", "grant", cwd=directory) == found
    assert complete(control_program, "call", "-d", "@", "grant", cwd=directory) == found
    assert complete(control_program, "call", "-d", "@grant", cwd=directory) == ["@" + name for name in found]
    assert complete(control_program, "call", "-d", "grant", cwd=directory) == []
    assert complete(control_program, "call", "-X", "P", cwd=directory) == ["PATCH", "POST", "PUT"]
    assert complete(control_program, "wait-ready", "--timeout", "", cwd=directory) == []


def test_a_shell_with_a_terminal_completes(daemon, directory):
    (directory / "the file").touch()
    surroundings = {**os.environ, "PATH": f"{control_program.parent}:{os.environ['PATH']}", "PS1": "", "TERM": "dumb",
                    "GRANTD_SOCKET": str(daemon.socket), "HOME": str(directory)}
    shell, terminal = pty.fork()
    if shell == 0:
        os.chdir(directory)
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], surroundings)
    shown = ""

    def expect(text):
        nonlocal shown
        deadline = time.monotonic() + patience
        while text not in shown:
            ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{text!r} was not shown, but {shown!r}"
            shown += os.read(terminal, 4096).decode(errors="replace")
        shown = ""

    try:
        os.write(terminal, f"bind 'set bell-style none'; source {shlex.quote(str(build / 'completions/grantctl'))}; "
                           "echo rea''dy\n".encode())
        expect("\nready")
        os.write(terminal, b"grantctl token inv\t")
        expect("token invoice.client ")
        os.write(terminal, b"\x15grantctl call --socket=the\t")
        expect("--socket=the\\ file")
        os.write(terminal, b"\x15exit\n")
        _, status = os.waitpid(shell, 0)
        shell = 0
        assert os.waitstatus_to_exitcode(status) == 0
    finally:
        os.close(terminal)
        if shell:
            os.kill(shell, 9)
            os.waitpid(shell, 0)
