"""What a page of figures must say of the machine they come from."""

import os
import platform
import subprocess
from pathlib import Path

packages = {"nginx": ("nginx-light", "nginx-core", "nginx-full", "nginx"), "Go": ("golang-go",),
            "golang.org/x/oauth2": ("golang-golang-x-oauth2-dev",), "authlib": ("python3-authlib",),
            "oidc-agent": ("oidc-agent-cli",), "OpenSSL": ("libssl3", "libssl3t64"), "GCC": ("g++",)}


def describe():
    """(name, value) pairs."""
    rows = [("CPU", f"{_cpu_model()}, {os.cpu_count()} cores"), ("memory", _memory()),
            ("kernel", f"Linux {platform.release()}, {platform.machine()}"), ("distribution", _distribution())]
    for name, candidates in packages.items():
        version = next(filter(None, map(_package_version, candidates)), None)
        rows.append((name, version or "not installed"))
    return rows


def _field(path, separator, name):
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(separator)
        if key.strip() == name:
            return value.strip().strip('"')
    return None


def _cpu_model():
    return _field("/proc/cpuinfo", ":", "model name") or platform.machine()


def _memory():
    return f"{int(_field('/proc/meminfo', ':', 'MemTotal').split()[0]) / 2**20:.0f} GiB"


def _distribution():
    return _field("/etc/os-release", "=", "PRETTY_NAME") or "unknown"


def _package_version(package):
    asked = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", package], capture_output=True, text=True)
    status, _, version = asked.stdout.partition(" ")
    return version if status == "installed" else None
