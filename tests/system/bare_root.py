"""The root file system of the machines: a bare installation of the distribution that runs here, made once and kept, with
what the packages of grantd depend on, since machines have no network."""

import os
import re
import shutil
import subprocess
from pathlib import Path

project = Path(__file__).parents[2]
folder = project / "build/system"
packages_folder = project / "build/package"

# A system that boots, user managers, and what the tests call with.
tools = ["systemd", "systemd-sysv", "dbus-user-session", "libpam-systemd", "passwd", "curl", "python3", "ca-certificates"]


class Unavailable(Exception):
    """There can be no machine here; says why."""


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def packages():
    """The packages under test: {name: file}."""
    found = {run("dpkg-deb", "--field", str(file), "Package").strip(): file for file in packages_folder.glob("*.deb")}
    missing = {"grantd", "libgrantd1", "libgrantd-dev"} - found.keys()
    assert not missing, f"{', '.join(sorted(missing))} not in {packages_folder}: run tools/package first"
    return found


def dependencies():
    """What apt would install beside the packages under test, each as a dependency is written."""
    ours = packages()
    needed = set()
    for file in ours.values():
        fields = run("dpkg-deb", "--showformat=${Pre-Depends},${Depends}", "--show", str(file))
        needed |= {alternatives.split("|")[0].strip() for alternatives in fields.split(",")}
    return sorted(need for need in needed if need and need.split()[0] not in ours)


def sources():
    """(name of the release, its lines for sources.list): what apt uses here, without other people's packages."""
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    codename = release["VERSION_CODENAME"].strip('"')
    keyring = f"/usr/share/keyrings/{release['ID']}-archive-keyring.gpg"
    lines = set()
    for target in run("apt-get", "indextargets", "--format", "$(CREATED_BY) $(SITE) $(RELEASE) $(COMPONENT)").splitlines():
        kind, site, suite, component = target.split()
        if kind == "Packages" and re.fullmatch(rf"{codename}(-updates|-security)?", suite):
            lines.add(f"deb [signed-by={keyring}] {site} {suite} {component}")
    if not lines:
        raise Unavailable(f"apt knows no source of {codename}")
    return codename, sorted(lines)


def apt_options():
    """How apt reaches its sources here; this is for the making of the root alone."""
    wanted = re.compile(r'Acquire::(https?::|Check-|Retries)[^"]* "[^"]+";')
    return [f"--aptopt={line}" for line in run("apt-config", "dump").splitlines() if wanted.fullmatch(line)]


def make():
    """The directory of the root, made anew if it is not there or was made for other packages."""
    needed = dependencies()
    codename, lines = sources()
    root, stamp = folder / f"root-{codename}", folder / f"root-{codename}.made-for"
    made_for = "\n".join(tools + needed) + "\n"
    if root.exists() and stamp.exists() and stamp.read_text() == made_for:
        return root
    stamp.unlink(missing_ok=True)
    shutil.rmtree(root, ignore_errors=True)
    names = tools + [need.split()[0].split(":")[0] for need in needed]
    # In a name space of its own, so that an interruption leaves no mounts. An empty machine-id gets a number at each boot.
    command = ["unshare", "--mount", "--propagation", "private", "mmdebstrap", "--mode=root", "--variant=minbase",
               "--format=directory", "--include=" + ",".join(sorted(set(names))), *apt_options(),
               '--customize-hook=rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap',
               '--customize-hook=: >"$1"/etc/machine-id', codename, str(root), *lines]
    log = folder / "root.log"
    with log.open("w") as output:
        status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                env={**os.environ, "LC_ALL": "C"}).returncode
    if status != 0:
        last = [line for line in log.read_text(errors="replace").splitlines() if line.strip()][-1:]
        raise Unavailable(f"mmdebstrap failed: {' '.join(last)}")
    stamp.write_text(made_for)
    return root
