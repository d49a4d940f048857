"""tools/bench: that every row can still be measured, and that what it writes says what was measured and where. The figures of
these short runs, of a build without optimization, mean nothing."""

import re
import shutil
import socket
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

from grantd import build

pytestmark = pytest.mark.bench

root = Path(__file__).resolve().parents[2]
connections = ("1 connection", "16 connections", "256 connections")
# What the table of measures has a line for, whatever is installed.
measures = (
    "cached token in the library, against a copy",
    "cached token in the library, against Go",
    "system calls of 1,000,000 cached calls",
    "cached token in the library, \\d+ threads on as many cores",
    *(f"GET /v1/tokens, {count}: {what}" for count in connections for what in ("requests/s", "CPU per request")),
    "1000 callers at an expired token: token requests", "1000 callers at an expired token: the last is answered after",
    *(f"proxy, {kind}, {count}: {what}" for kind in ("plain HTTP", "TLS") for count in connections
      for what in ("requests/s", "CPU per request")),
    *(f"proxy, 1 GiB {direction}: {what}" for direction in ("down", "up") for what in ("throughput", "resident memory grows by")),
    "4000 idle connections: resident memory grows by", "4000 idle connections: latency of an active one",
    "start to the first token, memory cache", "resident memory with 100 definitions, each with a cached token",
    "10 definitions against 1: CPU of GET /v1/tokens, as × the floor", "10 processes against 1: CPU of reading the page",
)
# Where a measure does not depend on how fast the build and the machine are.
reached = ("system calls of 1,000,000 cached calls", "1000 callers at an expired token: token requests",
           "10 definitions against 1: token requests each")


def bench(*arguments):
    command = [sys.executable, root / "tools/bench", "--build", build, "--rounds", 1, "--seconds", 0.1, "--most", 10, *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=500)


def has_authlib():
    imported = subprocess.run(["/usr/bin/python3", "-c", "import authlib, httpx"], capture_output=True)
    return imported.returncode == 0


def lines_of(svg):
    drawn = xml.parse(svg).getroot()
    texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    paths = [path.get("d") for path in drawn.iter("{http://www.w3.org/2000/svg}path") if path.get("class", "").startswith("line")]
    return texts, paths


def test_every_row_is_measured_and_a_missed_one_is_named(tmp_path):
    page = tmp_path / "performance.md"
    ran = bench("--page", page)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stderr == ""
    text = page.read_text()

    table = text.split("## The measures")[1].split("## ")[0]
    for measure in measures:
        assert re.search(rf"^\| {measure} \|.*\| (reached|\*\*MISSED\*\*) \|$", table, re.M), measure
    for measure in reached:
        assert re.search(rf"^\| {measure} \|.*\| reached \|$", table, re.M), measure
    missed, judged = table.count("**MISSED**"), len(re.findall(r"\| (?:reached|\*\*MISSED\*\*) \|$", table, re.M))
    assert f"{missed} of {judged} missed." in table if missed else "Every measure is reached." in table
    assert ran.stdout.splitlines()[-1] == (f"{missed} missed" if missed else "all reached")

    for name in ("CPU", "memory", "kernel", "distribution", "nginx"):
        assert re.search(rf"^\| {name} \| .+ \|$", text, re.M), name
    assert socket.gethostname() not in text
    assert str(tmp_path) not in text and "/tmp" not in text
    for plot, axes in (("latency", ("part of all calls that are at least as fast", "latency")),
                       ("threads", ("threads", "million calls a second"))):
        assert f"](performance/{plot}.svg)" in text
        texts, paths = lines_of(page.with_suffix("") / f"{plot}.svg")
        assert set(axes) < set(texts)
        assert {"grantd's library", "floor: a copy"} < set(texts)
        assert not any("nan" in path for path in paths)


def test_a_run_of_single_rows_leaves_the_page_alone():
    before = (root / "docs/performance.md").read_bytes()
    ran = bench("size")
    assert ran.returncode == 0, ran.stderr
    assert "resident memory with 100 definitions" in ran.stdout
    assert (root / "docs/performance.md").read_bytes() == before


def test_what_cannot_be_measured_is_refused():
    for arguments, complaint in ((["speed"], "there is no row speed"),
                                 (["--build", "/nonexistent"], "there is no build with -Dbench=true")):
        ran = bench(*arguments)
        assert ran.returncode == 2
        assert complaint in ran.stderr


@pytest.mark.parametrize(("row", "name", "present"), [
    ("library", "Go", lambda: shutil.which("go") and Path("/usr/share/gocode/src/golang.org/x/oauth2").exists()),
    ("library", "authlib", has_authlib),
    ("agent", "oidc-agent", lambda: shutil.which("oidc-gen")),
], ids=["Go", "authlib", "oidc-agent"])
def test_a_peer_that_is_installed_is_measured(row, name, present):
    if not present():
        pytest.skip(f"{name} is not installed")
    ran = bench(row)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(rf"^  {name} +[\d,]+(\.\d+)? ", ran.stdout, re.M), ran.stdout
    assert "not installed" not in "".join(line for line in ran.stdout.splitlines() if name in line)
