"""Plays the service manager's part of sd_notify(3), sd_listen_fds(3) and sd_pid_notify_with_fds(3)."""

import os
import queue
import select
import signal
import socket
import sys
import threading

from grantd import patience


class Manager:
    """The receiving end of sd_notify, and a descriptor store of this size: what one daemon gives, the next one gets."""

    def __init__(self, directory, store_size=4096):
        self.path = directory / "notify"
        self.store_size = store_size
        self.held = []  # (name, descriptor)
        self._messages = queue.SimpleQueue()  # but for those about the store
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.setblocking(False)
        self._reading = threading.RLock()  # whoever has it reads
        self._end = os.pipe()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def close(self):
        os.close(self._end[1])
        self._reader.join()
        os.close(self._end[0])
        self._socket.close()
        self.forget()

    def _read(self):
        while self._end[0] not in select.select([self._socket, self._end[0]], [], [])[0]:
            with self._reading:
                self._take()

    def _take(self):
        try:
            while True:
                self._understand(*socket.recv_fds(self._socket, 4096, 16)[:2])
        except BlockingIOError:
            pass

    def _understand(self, data, descriptors):
        message = dict(line.split("=", 1) for line in data.decode().splitlines())
        if "FDSTOREREMOVE" in message:
            self.forget(message["FDNAME"])
        if "FDSTORE" in message:
            assert len(descriptors) == 1
            if len(self.held) < self.store_size:
                self.held += [(message["FDNAME"], descriptors[0])]
            else:
                os.close(descriptors[0])
        if "FDNAME" not in message:
            self._messages.put(message)

    def busy(self):
        """A block during which it reads nothing."""
        return self._reading

    def message(self, timeout=patience):
        """The next one that is not about the store, as a dictionary; queue.Empty where there is none."""
        return self._messages.get(timeout=timeout)

    def message_with(self, key):
        while key not in (message := self.message()):
            pass
        return message

    def take_waiting(self):
        """Everything that was said."""
        with self._reading:
            self._take()
        while not self._messages.empty():
            self._messages.get()

    def forget(self, name=None):
        """Closes what is held under the name, or everything."""
        for held in [held for held in self.held if name in (None, held[0])]:
            os.close(held[1])
            self.held.remove(held)

    def pass_on_to(self, daemon):
        """The daemon's next process gets what is held."""
        names = ":".join(name for name, _ in self.held)
        daemon.pass_fds = [descriptor for _, descriptor in self.held]
        numbered = [sys.executable, "-c", numbering, names, *map(str, daemon.pass_fds), "--"]
        daemon.wrapper = numbered if self.held else []


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
    """One daemon after the other, and the manager that starts them. A `told_size` of its store other than the true one is
    what an administrator makes of it who changes half of the unit; None: nothing is told."""

    def __init__(self, daemon, store_size=4096, **environment):
        self.daemon = daemon
        self.manager = Manager(daemon.directory, store_size)
        told_size = environment.pop("told_size", store_size)
        told = {} if told_size is None else {"FDSTORE": str(told_size)}
        daemon.environment = {"NOTIFY_SOCKET": str(self.manager.path), **told, **environment}

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
