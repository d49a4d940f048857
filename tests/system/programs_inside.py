"""Programs for the machines' Python, as text."""

# CLIENT TIMES [tell]: each time a process connects, sends a request, leaves the connection to its child and ends, which is
# seen to before the answer is read. Prints the statuses. With "tell", first prints the number of the process that ended.
leaving_callers = r"""
import os, socket, sys

client, times, tell = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
request = f"GET /v1/tokens/{client} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()

def read_answer(connection):
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    return answer.split(b" ")[1]

for _ in range(times):
    gone, going = os.pipe()
    answered, answering = os.pipe()
    caller = os.fork()
    if caller == 0:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect("/run/grantd/grantd.sock")
        connection.sendall(request)
        if os.fork() == 0:
            os.read(gone, 1)
            os.write(answering, read_answer(connection))
        os._exit(0)
    os.close(answering)
    os.waitpid(caller, 0)
    if tell:
        print(caller, flush=True)
    os.write(going, b".")
    print(os.read(answered, 3).decode(), flush=True)
    for end in (gone, going, answered):
        os.close(end)
"""

# PID: starts a process with that number, which is free, says "running", and ends with its standard input.
process_with_number = r"""
import ctypes, os, signal, struct, sys

clone3 = 435
numbers = (ctypes.c_int * 1)(int(sys.argv[1]))
# struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup
arguments = struct.pack("11Q", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, ctypes.addressof(numbers), 1, 0)
libc = ctypes.CDLL(None, use_errno=True)
child = libc.syscall(ctypes.c_long(clone3), arguments, ctypes.c_size_t(len(arguments)))
if child < 0:
    sys.exit(os.strerror(ctypes.get_errno()))
if child == 0:
    while True:
        signal.pause()
print("running", flush=True)
sys.stdin.read()
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
"""

# CLIENT: asks for its token page, says "page", or "token" where it got that instead, and at each line of its standard input
# the page's state.
page_reader = r"""
import mmap, socket, struct, sys

connection = socket.socket(socket.AF_UNIX)
connection.connect("/run/grantd/grantd.sock")
connection.sendall(f"GET /v1/tokens/{sys.argv[1]}/page HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
answer, descriptors, _, _ = socket.recv_fds(connection, 65536, 4)
print("page" if descriptors else "token" if b"access_token" in answer else answer, flush=True)
for line in sys.stdin:
    page = mmap.mmap(descriptors[0], 0, prot=mmap.PROT_READ)
    print(struct.unpack_from("=I", page, 12)[0], flush=True)
"""

# USER FIRST NUMBER CLIENT...: as a process of USER that has the subordinate users from FIRST on becomes the one of that number
# and asks for tokens; prints the statuses. What newuidmap does for USER is done here by root.
subordinate_caller = r"""
import ctypes, os, pwd, socket, sys

user, first, number, clients = pwd.getpwnam(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
apart, leaving = os.pipe()
mapped, mapping = os.pipe()
child = os.fork()
if child == 0:
    os.initgroups(user.pw_name, user.pw_gid)
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    clone_newuser = 0x10000000
    assert ctypes.CDLL(None).unshare(clone_newuser) == 0
    os.write(leaving, b".")
    os.read(mapped, 1)
    os.setresuid(number, number, number)
    for client in clients:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect("/run/grantd/grantd.sock")
        connection.sendall(f"GET /v1/tokens/{client} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        print(connection.recv(65536).split(b" ")[1].decode(), flush=True)
    os._exit(0)
os.read(apart, 1)
for kind in ("uid", "gid"):
    with open(f"/proc/{child}/{kind}_map", "w") as file:
        file.write(f"0 {first} 65536")
os.write(mapping, b".")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
