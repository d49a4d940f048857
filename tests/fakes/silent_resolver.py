"""Runs a command where every name lookup goes unanswered: in namespaces of its own the loopback interface is up, and
the only name server is a socket that nobody reads. Usage, as root: unshare -mn python3 silent_resolver.py COMMAND..."""

import ctypes
import fcntl
import os
import socket
import struct
import sys
import tempfile

SIOCSIFFLAGS, IFF_UP, MS_BIND = 0x8914, 1, 4096


def main():
    resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    fcntl.ioctl(resolver, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
    resolver.bind(("127.0.0.1", 53))
    resolver.set_inheritable(True)

    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write("nameserver 127.0.0.1\n")
    os.chmod(file.name, 0o644)
    libc = ctypes.CDLL(None, use_errno=True)
    target = os.path.realpath("/etc/resolv.conf")
    if libc.mount(file.name.encode(), target.encode(), None, ctypes.c_ulong(MS_BIND), None) != 0:
        sys.exit(f"cannot put a resolv.conf in place: {os.strerror(ctypes.get_errno())}")
    os.unlink(file.name)
    os.execvp(sys.argv[1], sys.argv[1:])


main()
