"""Token pages under systemd: what it holds for the next process can be closed by it, and nothing else is passed."""

import signal

import pytest

from grantd import client
from machine import until
from programs_inside import page_reader

OPEN, CLOSED = "1", "2"
first_that_says_its_size = 254


class Reader:
    """alice with a page, or with a token instead."""

    def __init__(self, machine, name):
        self._process = machine.start("python3", "-c", page_reader, name, user="alice")
        self.has_page = self._process.stdout.readline().strip() == "page"

    def state(self):
        self._process.stdin.write("state\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture
def read(machine):
    readers = []

    def start(name):
        readers.append(Reader(machine, name))
        return readers[-1]

    yield start
    for reader in readers:
        reader.close()


def kib_locked(service):
    return int(service.status_of_process()["VmLck"].split()[0])


def test_a_page_is_held_and_locked_and_closed_by_the_next_process(service, machine, authorization_server, read):
    service.configure(clients={"a": client(authorization_server)})
    reader = read("a")
    assert reader.has_page and reader.state() == OPEN
    of_tokens_and_page = 2
    until(lambda: int(service.get("NFileDescriptorStore")) == of_tokens_and_page, timeout=5)
    locked = kib_locked(service)
    machine.say(f"locked: {locked} KiB")
    assert locked >= 64 + 4
    service.kill(signal.SIGKILL)
    assert reader.state() == OPEN and kib_locked(service) == locked
    assert machine.ask("/v1/tokens/a", method="DELETE", user="alice").status == 204
    assert reader.state() == CLOSED
    until(lambda: int(service.get("NFileDescriptorStore")) == 1, timeout=5)


def test_no_more_pages_are_passed_than_systemd_holds(service, machine, authorization_server, read):
    names = ["a", "b", "c"]
    told = [] if machine.systemd_version >= first_that_says_its_size else ["Environment=FDSTORE=2"]
    service.drop_in("FileDescriptorStoreMax=2", *told)
    service.configure(clients={name: client(authorization_server) for name in names})
    readers = [read(name) for name in names]
    assert [reader.has_page for reader in readers] == [True, False, False]
    assert service.get("NFileDescriptorStore") == "2"
    service.kill(signal.SIGKILL)
    assert machine.ask("/v1/tokens/a", method="DELETE", user="alice").status == 204
    assert readers[0].state() == CLOSED


def test_no_page_is_passed_where_nothing_is_held(service, machine, authorization_server, read):
    told = [] if machine.systemd_version >= first_that_says_its_size else ["UnsetEnvironment=FDSTORE"]
    service.drop_in("FileDescriptorStoreMax=0", *told)
    service.configure(clients={"a": client(authorization_server)})
    assert not read("a").has_page
    assert machine.ask_token("a", user="alice").status == 200
