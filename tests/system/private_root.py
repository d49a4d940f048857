"""Runs a command with mounts of its own and, where this is a chroot, with its root as the real one of those mounts:
private_root.py COMMAND [ARGUMENT...]

The kernel lets nobody in a chroot make a user name space, and whoever enters a chrooted machine's mounts by way of their name space
comes out in the file system around it."""

import ctypes
import os
import sys

clone_newns = 0x00020000
ms_rec, ms_private = 0x4000, 1 << 18
mnt_detach = 2
sys_pivot_root = {"x86_64": 155, "aarch64": 41}
libc = ctypes.CDLL(None, use_errno=True)


def must(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def enter():
    must(libc.unshare(clone_newns), "unshare")
    own = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    # To the root of the name space.
    mounts = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    must(libc.setns(mounts, clone_newns), "setns")
    must(libc.mount(b"none", b"/", None, ms_rec | ms_private, None), "mount")
    chrooted = not os.path.samestat(os.stat("/"), os.fstat(own))
    os.fchdir(own)
    if chrooted:
        must(libc.syscall(sys_pivot_root[os.uname().machine], b".", b"."), "pivot_root")
        must(libc.umount2(b".", mnt_detach), "umount")
        os.chroot(".")
    os.close(own)
    os.close(mounts)


if __name__ == "__main__":
    directory = os.getcwd()
    enter()
    os.chdir(directory)
    os.execvp(sys.argv[1], sys.argv[1:])
