"""grantd as installed on a machine."""

import shlex

import bare_root
from grantd import tables
from machine import until

configuration_file = "/etc/grantd/grantd.toml"
drop_in_folder = "/etc/systemd/system/grantd.service.d"
socket_file = "/run/grantd/grantd.sock"

# alice and bob may open the socket, carol may not.
users = {"alice": 1000, "bob": 1001, "carol": 1002}
callers = ("alice", "bob")


def install_grantd(machine):
    """Installs the packages the way their users do, and makes users."""
    files = [f"/packages/{file.name}" for file in bare_root.packages().values()]
    machine.run("apt-get", "install", "--quiet=2", "--option=Dpkg::Use-Pty=0", "--yes", "--no-install-recommends",
                *files)
    for name, uid in users.items():
        machine.run("useradd", "--uid", uid, "--create-home", *(["--groups", "grantd-clients"] if name in callers else []), name,
                    shown=False)
    return Service(machine)


class Service:
    def __init__(self, machine):
        self.machine = machine
        self._delivered = machine.path(configuration_file).read_text()

    def configure(self, **tables_by_name):
        """configure(clients={...}, apis={...}); takes effect at the next start or reload."""
        self.machine.write(configuration_file, tables(tables_by_name))

    def write_configuration(self, text):
        self.machine.write(configuration_file, text)

    def drop_in(self, *lines):
        """Lines of [Service] in a drop-in."""
        text = "\n".join(["[Service]", *lines]) + "\n"
        self.machine.say(f"{drop_in_folder}/test.conf:\n" + "".join(f"  {line}\n" for line in text.splitlines()))
        self.machine.write(f"{drop_in_folder}/test.conf", text)
        self.systemctl("daemon-reload")

    def systemctl(self, verb, *more, unit="grantd.service", **options):
        return self.machine.run("systemctl", verb, *more, *([unit] if verb != "daemon-reload" else []), **options)

    def get(self, name, unit="grantd.service"):
        return self.machine.get_property(unit, name)

    def properties(self, *names):
        """{name: value}, which the transcript shows."""
        shown = self.machine.run("systemctl", "show", "--property", ",".join(names), "grantd.service").stdout
        return dict(line.split("=", 1) for line in shown.splitlines())

    @property
    def state(self):
        return self.get("ActiveState")

    @property
    def main_pid(self):
        """The daemon's number in the machine; 0 where there is none."""
        return int(self.get("MainPID"))

    def reinstall(self):
        """An upgrade, as apt does it; the result has what it said."""
        return self.machine.run("sh", "-c", "apt-get install --quiet=2 --option=Dpkg::Use-Pty=0 --yes --reinstall "
                                            "/packages/grantd_*.deb")

    def kill(self, number):
        """Sends a signal to the daemon and waits until systemd has another one."""
        before = self.main_pid
        assert before
        self.machine.kill(number, before)
        until(lambda: self.state == "active" and self.main_pid not in (0, before))

    def status_of_process(self):
        """/proc/PID/status of the daemon as a dictionary."""
        text = self.machine.run("cat", f"/proc/{self.main_pid}/status", shown=False).stdout
        return {key: value.strip() for key, value in (line.split(":", 1) for line in text.splitlines())}

    def run_inside(self, script):
        """A shell command in the daemon's mount name space with its user and group; `script` is one the shell runs."""
        status = self.status_of_process()
        uid, gid = status["Uid"].split()[0], status["Gid"].split()[0]
        self.machine.say(f"grantd, in its name space# {script}")
        result = self.machine.run("nsenter", f"--target={self.main_pid}", "--mount", "--setuid", uid, "--setgid", gid, "--",
                                  "sh", "-c", script, check=False, shown=False)
        self.machine.say("".join(f"  {line}\n" for line in (result.stdout + result.stderr).splitlines()[:20]))
        return result

    def reset(self):
        """As after the installation: the socket listens, the service is stopped, nothing is configured."""
        self.machine.path(f"{drop_in_folder}/test.conf").unlink(missing_ok=True)
        self.write_configuration(self._delivered)
        script = ["systemctl daemon-reload", "systemctl stop grantd.service",
                  "systemctl reset-failed grantd.service grantd.socket", "systemctl start grantd.socket"]
        self.machine.run("sh", "-c", "; ".join(script), shown=False)
        assert self.get("ActiveState", unit="grantd.socket") == "active", shlex.join(script)
