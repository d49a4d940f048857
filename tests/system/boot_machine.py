"""Boots a machine and keeps it until standard input ends: boot_machine.py NAME HIERARCHY ROOT [OPTION OF NSPAWN...]

It prints the process id of the machine's first process. It is a process of its own so that nothing is left of the machine,
whatever becomes of the tests: when they end, even by SIGKILL, the pipe to it ends as well. Mounts are in a name space that
goes with the machine, what the machine writes is in memory, and only the control groups must be removed."""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import private_root

# What systemd-nspawn is told by SYSTEMD_NSPAWN_UNIFIED_HIERARCHY; without it, it does as the host does.
unified_hierarchy = {"unified": "1", "hybrid": None, "legacy": "0"}


def hierarchies():
    """(kind, directory of this process's own group) of those in which systemd makes groups: "legacy" is the one that bears
    systemd's name, "unified" that of version 2."""
    paths = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        paths["unified" if not controllers else controllers] = path
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, after = line.split(" - ")
        root, mount_point = before.split()[3:5]
        file_system, _, options = after.split()[:3]
        if file_system == "cgroup2":
            kind, path = "unified", paths.get("unified")
        elif file_system == "cgroup" and "name=systemd" in options.split(","):
            kind, path = "legacy", paths.get("name=systemd")
        else:
            continue
        if path is not None and path.startswith(root):
            found.append((kind, Path(mount_point) / path[len(root):].lstrip("/")))
    return dict(reversed(found)).items()


class Groups:
    """A group for the machine in each hierarchy, so that two machines never meet."""

    def __init__(self, name):
        self.directories = [directory / name for _, directory in hierarchies()]
        for directory in self.directories:
            directory.mkdir()

    def enter(self):
        for directory in self.directories:
            (directory / "cgroup.procs").write_text("0")

    def remove(self):
        deadline = time.monotonic() + 10
        for top in self.directories:
            for directory, _, _ in os.walk(top, topdown=False):
                # The kernel lets go of a group a moment after its last process.
                while True:
                    try:
                        os.rmdir(directory)
                        break
                    except FileNotFoundError:
                        break
                    except OSError:
                        if time.monotonic() > deadline:
                            raise
                        time.sleep(0.01)


def die_with_parent():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def first_process(parent):
    """The child that is number 1 in a name space of its own."""
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit():
            continue
        try:
            status = dict(line.split(":\t", 1) for line in (directory / "status").read_text().splitlines() if ":\t" in line)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if status["PPid"] == str(parent) and status["NSpid"].split()[-1] == "1":
            return int(directory.name)
    return None


def boot(name, hierarchy, root, options, groups):
    environment = {key: value for key, value in os.environ.items() if key != "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY"}
    if unified_hierarchy[hierarchy]:
        environment["SYSTEMD_NSPAWN_UNIFIED_HIERARCHY"] = unified_hierarchy[hierarchy]
    nspawn = ["systemd-nspawn", "--quiet", "--boot", f"--directory={root}", f"--machine={name}", "--volatile=overlay",
              "--register=no", "--keep-unit", "--console=pipe", "--private-network", "--resolv-conf=off",
              "--timezone=off", "--link-journal=no", *options]
    # It keeps records below /run, which are to go as well.
    command = [sys.executable, private_root.__file__, "sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$@"', "sh", *nspawn]

    def prepare():
        die_with_parent()
        groups.enter()

    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, env=environment, preexec_fn=prepare,
                            start_new_session=True)


def main():
    name, hierarchy, root, *options = sys.argv[1:]
    # An interrupt from the terminal goes to the tests, which then end the machine.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    groups = Groups(name)
    machine = first = None
    try:
        machine = boot(name, hierarchy, root, options, groups)
        while machine.poll() is None:
            if first is None and (first := first_process(machine.pid)):
                print(first, flush=True)
            if select.select([sys.stdin], [], [], 0.02 if first is None else 1)[0]:
                break
    finally:
        if machine and machine.poll() is None:
            # Its end is the end of everything in the machine.
            if first or (first := first_process(machine.pid)):
                os.kill(first, signal.SIGKILL)
            else:
                machine.kill()
            machine.wait()
        groups.remove()


if __name__ == "__main__":
    main()
