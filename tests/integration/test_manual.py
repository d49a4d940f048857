"""The manual pages: that they render, and that they tell all of what they are made of."""

import re
import subprocess
from pathlib import Path

import pytest

from grantd import build, control_program, daemon_program

pytestmark = pytest.mark.install

root = Path(__file__).parents[2]
pages = build / "docs/man"
schema = (root / "config/keys.hpp").read_text()
full_configuration = (root / "config/grantd-full.toml").read_text()


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)


def shown(name):
    """A page as it is read, on one line."""
    rendered = run("mandoc", "-T", "ascii", "-O", "width=900", pages / name).stdout
    return " ".join(re.sub(".\b", "", rendered).split())


def section(text, name, following):
    assert f" {name} " in text, name
    return text.split(f" {name} ", 1)[1].split(f" {following} ", 1)[0]


def help_of(program, *command):
    return run(program, *command, "--help").stdout


@pytest.mark.parametrize("name", ["grantd.8", "grantctl.1", "grantd.toml.5"])
def test_a_page_renders_without_a_warning(name):
    judged = run("mandoc", "-T", "lint", "-W", "warning", pages / name)
    assert judged.returncode == 0, judged.stdout + judged.stderr
    judged = run("groff", "-man", "-Tutf8", "-ww", "-z", pages / name)
    assert judged.returncode == 0 and judged.stderr == "", judged.stderr
    version = re.search(r"version: '([^']+)'", (root / "meson.build").read_text())[1]
    assert shown(name).endswith(f"{name.rsplit('.', 1)[0].upper()}({name[-1]})")
    assert f"grantd {version} " in shown(name)


def test_every_option_and_command_is_on_the_page_of_its_program():
    pairs = [(daemon_program, "grantd.8", [[]])]
    commands = re.findall(r"^ +([a-z-]+) ", re.split("(?i)\nsubcommands:", help_of(control_program))[1], re.M)
    assert {"token", "wait-ready"} <= set(commands)
    pairs.append((control_program, "grantctl.1", [[], *([name] for name in commands)]))
    for program, page, ways in pairs:
        text = shown(page)
        for command in ways:
            help_text = help_of(program, *command)
            options = [name for found in re.findall(r"^ +(-\S+)", help_text, re.M) for name in re.findall(r"-+[\w-]+", found)]
            assert "--help" in options
            for name in options + [f"{program.name} {' '.join(command)}".strip()]:
                assert re.search(rf"(^|\W){re.escape(name)}(\W|$)", text), (command, name)


def test_every_exit_status_is_on_the_page_of_its_program():
    for program, page in ((daemon_program, "grantd.8"), (control_program, "grantctl.1")):
        numbers = re.findall(r"\b\d+\b", re.search(r"Exit status: .*", help_of(program))[0])
        assert {"0", "1", "64", "78"} <= set(numbers)
        assert re.findall(r"\b\d+\b", section(shown(page), "EXIT STATUS", "ENVIRONMENT")) == numbers
    codes = re.search(r"enum ExitStatus[^}]*", (root / "cli/context.hpp").read_text())[0]
    assert re.findall(r"= (\d+)", codes) == numbers  # of grantctl


@pytest.mark.parametrize("table", ["daemon", "defaults", "client", "api", "cache"])
def test_every_key_of_the_schema_is_in_the_section_of_its_table(table):
    keys = re.findall(r'"(\w+)"', re.search(rf"{table}_keys\[\] = {{([^}}]*)}}", schema)[1])
    assert len(keys) >= 4
    heading = {"client": "clients.NAME", "api": "apis.NAME"}.get(table, table)
    text = re.split(r" \[(?:clients.NAME|apis.NAME|daemon|defaults|cache)\] |EXAMPLES", shown("grantd.toml.5"))
    headings = re.findall(r" \[(clients.NAME|apis.NAME|daemon|defaults|cache)\] ", shown("grantd.toml.5"))
    told = dict(zip(headings, text[1:], strict=False))[heading]
    for key in keys:
        assert f" {key} = " in f" {told}", key


def test_every_explanation_of_the_full_configuration_is_on_the_page():
    rules = full_configuration.split("\n#\n")[-1]
    text = shown("grantd.toml.5")
    comments = [line.removeprefix("# ") for line in rules.splitlines() if line.startswith("# ")]
    assert len(comments) > 50
    for comment in comments:
        assert " ".join(comment.split()) in text, comment
