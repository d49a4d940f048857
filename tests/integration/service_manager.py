"""Plays the service manager's part of sd_notify(3), sd_listen_fds(3) and sd_pid_notify_with_fds(3)."""

import os
import signal
import socket
import sys

from grantd import patience


class Manager:
    """The receiving end of sd_notify, and a descriptor store: what one daemon gives, the next one gets."""

    def __init__(self, directory):
        self.path = directory / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.settimeout(patience)
        self.held = []  # (name, descriptor)

    def close(self):
        self.socket.close()
        self.forget()

    def message(self):
        """The next one that is not about the store, as a dictionary."""
        while message := self.stored_message():
            if "FDNAME" not in message:
                return message

    def stored_message(self):
        data, descriptors, _, _ = socket.recv_fds(self.socket, 4096, 16)
        message = dict(line.split("=", 1) for line in data.decode().splitlines())
        if "FDSTOREREMOVE" in message:
            self.forget(message["FDNAME"])
        if "FDSTORE" in message:
            assert len(descriptors) == 1
            self.held += [(message["FDNAME"], descriptors[0])]
        return message

    def message_with(self, key):
        while key not in (message := self.message()):
            pass
        return message

    def take_waiting(self):
        """Everything that was said."""
        self.socket.setblocking(False)
        try:
            while True:
                self.stored_message()
        except BlockingIOError:
            pass
        self.socket.settimeout(patience)

    def forget(self, name=None):
        """Closes what is held under the name, or everything."""
        for held in [held for held in self.held if name in (None, held[0])]:
            os.close(held[1])
            self.held.remove(held)

    def pass_on_to(self, daemon):
        """The daemon's next process gets what is held."""
        names = ":".join(name for name, _ in self.held)
        daemon.pass_fds = [descriptor for _, descriptor in self.held]
        daemon.wrapper = [sys.executable, "-c", numbering, names, *map(str, daemon.pass_fds), "--"]


# Started in place of the daemon: numbers descriptors as the manager would, and becomes the daemon.
numbering = """
import os, sys
names, *rest = sys.argv[1:]
end = rest.index("--")
numbers, command = [int(number) for number in rest[:end]], rest[end + 1:]
out_of_the_way = [os.dup2(number, 500 + index) for index, number in enumerate(numbers)]
for index, number in enumerate(out_of_the_way):
    os.dup2(number, 3 + index, inheritable=True)
    os.close(number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(numbers)), LISTEN_FDNAMES=names)
os.execv(command[0], command)
"""


class Service:
    """One daemon after the other, and the manager that starts them."""

    def __init__(self, daemon, **environment):
        self.daemon = daemon
        self.manager = Manager(daemon.directory)
        daemon.environment = {"NOTIFY_SOCKET": str(self.manager.path), **environment}

    def start(self):
        self.daemon.launch()
        return self.until_ready()

    def until_ready(self):
        self.manager.message_with("READY")
        return self

    def restart(self, how=signal.SIGTERM):
        self.end(how)
        return self.again()

    def end(self, how=signal.SIGTERM):
        self.daemon.signal(how)
        self.daemon.process.wait(patience)
        self.manager.take_waiting()

    def again(self):
        self.manager.pass_on_to(self.daemon)
        return self.start()
