"""A machine: a real systemd in a container of its own, without a network but for its loopback interface."""

import contextlib
import ctypes
import json
import os
import re
import secrets
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import bare_root
import boot_machine

patience = 60
keeper = Path(boot_machine.__file__)
surroundings = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8",
                "TERM": "dumb", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "", "DEBIAN_FRONTEND": "noninteractive"}


def until(condition, timeout=patience, interval=0.05):
    """Waits until `condition()` is true and returns what it returned."""
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(interval)
    return result


class Transcript:
    """What was said to machines and what they answered, for people to read; of tokens only the beginning."""

    def __init__(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", buffering=1)

    def write(self, text):
        self._file.write(re.sub(r"\b((at|cs)-[\w-]{6})[\w-]+", r"\1...", text.rstrip("\n")) + "\n")

    def close(self):
        self._file.close()


@dataclass
class Answer:
    """Of the local API, as a program in the machine got it."""

    status: int  # 0 where there was no connection
    body: str
    exit_status: int

    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json().get("code")

    @classmethod
    def of(cls, stdout, stderr, exit_status):
        """What `curl` printed."""
        body, _, status = stdout.rpartition("\n")
        return cls(int(status or 0), body or stderr, exit_status)


def in_unit(unit, properties=()):
    return ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", f"--unit={unit}",
            *(f"--property={item}" for item in properties)]


def curl(target, method="GET", patience=40):
    """A command that prints the body of grantd's answer and, in a line of its own, the status; it waits `patience` seconds."""
    return ["curl", "--silent", "--show-error", "--max-time", str(patience), "--request", method, "--write-out", "\n%{http_code}",
            "--unix-socket", "/run/grantd/grantd.sock", "http://localhost" + target]


class Machine:
    """Commands are run in it by nsenter: no service manager is needed outside."""

    def __init__(self, transcript, hierarchy):
        self.transcript = transcript
        self.hierarchy = hierarchy
        self.name = f"grantd-{hierarchy}-{secrets.token_hex(4)}"
        self.log = bare_root.folder / f"{hierarchy}.log"
        # A container may lock no memory otherwise, as a machine lets anybody.
        options = [f"--bind-ro={bare_root.packages_folder}:/packages", "--system-call-filter=@memlock"]
        with self.log.open("w") as log:
            self._keeper = subprocess.Popen([sys.executable, str(keeper), self.name, hierarchy, str(bare_root.make()), *options],
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            self.first_process = int(self._keeper.stdout.readline() or 0)
            if not self.first_process:
                raise bare_root.Unavailable(f"systemd-nspawn failed: {self.log.read_text(errors='replace').strip()[-300:]}")
            self._wait_booted()
        except BaseException:
            self.end()
            raise

    def _wait_booted(self):
        def state():
            return self.run("systemctl", "is-system-running", check=False, shown=False).stdout.strip()

        deadline = time.monotonic() + patience
        while (seen := state()) not in ("running", "degraded"):
            if self._keeper.poll() is not None or time.monotonic() > deadline:
                raise bare_root.Unavailable(f"systemd did not boot ({seen or 'no state'})")
            time.sleep(0.05)
        self.systemd_version = int(self.run("systemctl", "--version", shown=False).stdout.split()[1])

    def end(self):
        self._keeper.stdin.close()
        assert self._keeper.wait(patience) == 0, self.log.read_text(errors="replace")[-2000:]
        self._keeper.stdout.close()

    def say(self, text):
        self.transcript.write(text)

    def _inside(self, command, user=None):
        become = ["runuser", "-u", user, "--"] if user else []
        return ["nsenter", "-t", str(self.first_process), "-a", "-r", "-w", "--", *become, *command]

    def run(self, *command, check=True, text=None, shown=True, user=None, timeout=patience):
        """Runs a command in the machine, outside all of its units; the result has returncode, stdout and stderr."""
        command = [str(part) for part in command]
        result = subprocess.run(self._inside(command, user), input=text or "", capture_output=True, text=True,
                                timeout=timeout, env=surroundings)
        if shown:
            brief = [part if "\n" not in part.strip() else "(a program)" for part in command]
            self.say(f"{user or 'root'}# {shlex.join(brief)}")
            lines = [*result.stdout.splitlines(), *result.stderr.splitlines()]
            self.say("".join(f"  {line}\n" for line in lines if line.strip()) +
                     (f"  (exit status {result.returncode})" if result.returncode else ""))
        assert not check or result.returncode == 0, f"{command}: {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result

    def run_in_unit(self, unit, *command, properties=(), **options):
        """Runs a command as a service of the machine's systemd."""
        return self.run(*in_unit(unit, properties), *command, **options)

    def start(self, *command, user=None):
        """Runs a command without waiting for it: a Popen object with pipes."""
        return subprocess.Popen(self._inside([*map(str, command)], user), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                text=True, env=surroundings)

    def start_in_unit(self, unit, *command):
        """The same as a service of the machine's systemd."""
        return self.start(*in_unit(unit), *command)

    def ask(self, target, unit=None, user=None, method="GET", wrapper=(), properties=(), shown=True,
            patience=40):
        """An answer of grantd to curl, run by `user` in the service `unit`, or in none. What `wrapper`, a command that ends
        with running another, says beforehand goes to stderr and is in the transcript."""
        command = [*wrapper, *curl(target, method, patience)]
        if unit:
            properties = [*properties, *([f"User={user}"] if user else [])]
            result = self.run_in_unit(unit, *command, properties=properties, check=False, shown=False)
        else:
            result = self.run(*command, user=user, check=False, shown=False)
        answer = Answer.of(result.stdout, result.stderr, result.returncode)
        if shown:
            said = [f"  {line}" for line in [*result.stderr.splitlines(), f"{answer.status} {answer.body}"]]
            self.say("\n".join([f"{user or 'root'}{f' in {unit}' if unit else ''}: {method} {target}", *said]))
        return answer

    def ask_token(self, client, **options):
        return self.ask(f"/v1/tokens/{client}", **options)

    def ask_and_wait(self, target, user):
        """Connects and asks, without waiting for the answer: a function that does, and returns it."""
        self.say(f"{user}: GET {target}")
        caller = subprocess.Popen(self._inside(curl(target), user), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, env=surroundings)

        def answer():
            answered = Answer.of(*caller.communicate(timeout=patience), caller.returncode)
            self.say(f"{user}, who waited: GET {target}\n  {answered.status} {answered.body}")
            return answered

        return answer

    def path(self, name):
        """A file of the machine, seen from outside."""
        return Path(f"/proc/{self.first_process}/root") / name.lstrip("/")

    def write(self, name, text, mode=None):
        """Writes a file of the machine; one that is there keeps owner and mode."""
        file = self.path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if mode is not None:
            file.chmod(mode)

    def get_property(self, unit, name):
        return self.run("systemctl", "show", "--value", "--property", name, unit, shown=False).stdout.strip()

    def journal(self, pattern=".", after=0):
        """Lines of grantd's journal in which `pattern` is found, oldest first, without the first `after` of all."""
        self.run("journalctl", "--sync", shown=False)
        lines = self.run("journalctl", "--no-pager", "--output=cat", "--unit=grantd.service", shown=False).stdout.splitlines()
        return [line for line in lines[after:] if re.search(pattern, line)]

    def journal_so_far(self):
        """How many lines there are."""
        return len(self.journal(pattern=""))

    def wait_for_journal(self, pattern, after):
        """The lines in which it is found, once there is one; they go into the transcript."""
        found = until(lambda: self.journal(pattern, after))
        self.say("".join(f"journal: {line}\n" for line in found))
        return found

    @contextlib.contextmanager
    def network(self):
        """This thread in the machine's network: what it listens on meanwhile, it listens on there."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        its = os.open(f"/proc/{self.first_process}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        libc = ctypes.CDLL(None, use_errno=True)
        try:
            assert libc.setns(its, 0) == 0, os.strerror(ctypes.get_errno())
            yield
        finally:
            assert libc.setns(own, 0) == 0
            os.close(own)
            os.close(its)

    def kill(self, number, pid):
        """A signal for a process of the machine, by its number there."""
        self.run("sh", "-c", f"kill -{signal.Signals(number).name[3:]} {pid}")
