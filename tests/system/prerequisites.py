"""Whether machines can be booted here, and with which hierarchies of control groups. Run as a program it prints what is
against it."""

import os
import shutil
import subprocess

import boot_machine


def reason_against():
    """Why no machine can be booted, or None."""
    if os.geteuid() != 0:
        return "needs root"
    for program, package in (("systemd-nspawn", "systemd-container"), ("mmdebstrap", "mmdebstrap"), ("nsenter", "util-linux")):
        if not shutil.which(program):
            return f"{program} is not installed (package {package})"
    mount = subprocess.run(["unshare", "--mount", "--propagation", "private", "mount", "-t", "tmpfs", "tmpfs", "/run"],
                           capture_output=True, text=True)
    if mount.returncode != 0:
        return f"no file system can be mounted here ({mount.stderr.strip()})"
    groups = boot_machine.hierarchies()
    if not groups:
        return "no hierarchy of control groups is mounted here"
    for _, directory in groups:
        if not os.access(directory, os.W_OK):
            return f"no control group can be made in {directory}"
    return None


def hierarchies():
    """The kinds that a machine can have here, the usual one first."""
    mounted = [kind for kind, _ in boot_machine.hierarchies()]
    found = ["unified"] if "unified" in mounted else []
    if "legacy" in mounted:
        found += (["hybrid"] if "unified" in mounted else []) + ["legacy"]
    return found


if __name__ == "__main__":
    print(reason_against() or "", end="")
