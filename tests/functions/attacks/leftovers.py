"""Says what it finds of the job before it where no file is, then leaves all it can there: objects, locks, and state."""

import ctypes
import fcntl
import os
import resource
import signal
import socket
import sys

libc = ctypes.CDLL(None, use_errno=True)
IPC_CREAT, IPC_EXCL = 0o1000, 0o2000
EEXIST = 17


def there(call, *arguments):
    """Whether an object of this key is there already; makes it where it is not."""
    result = call(*arguments)
    return result < 0 and ctypes.get_errno() == EEXIST


found = []
for key, mode in ((71, 0o600), (81, 0o000), (91, 0o777)):
    flags = IPC_CREAT | IPC_EXCL | mode
    if there(libc.shmget, key, 4096, flags):
        found.append(f"shared memory of mode {mode:o}")
    if there(libc.semget, key, 3, flags):
        found.append(f"semaphores of mode {mode:o}")
    if there(libc.msgget, key, flags):
        found.append(f"message queue of mode {mode:o}")
for name in (b"/left", b"/.left"):
    if there(libc.mq_open, name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0, None):
        found.append("POSIX message queue")
    if there(libc.shm_open, name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0):
        found.append("POSIX shared memory")
server = socket.socket(socket.AF_UNIX)
try:
    server.bind("\0left")
    server.listen()
except OSError:
    found.append("abstract socket")
lock = open("/nanogrid/state/code/main.py", "rb")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    found.append("file lock")
for number in (248, 249, 250):  # add_key, request_key, keyctl: keys outlive processes
    if libc.syscall(number, b"user", b"left", b"x", 1, -4) >= 0:
        found.append("keyring")
print("found", found)

mask = os.umask(0o777)
signals = [number for number in range(1, 65) if number not in (9, 19, 32, 33) and signal.getsignal(number) == signal.SIG_IGN]
print(
    "state",
    oct(mask),
    os.getcwd(),
    os.nice(0),
    os.sched_getscheduler(0),
    len(os.sched_getaffinity(0)) == os.cpu_count(),
    [resource.getrlimit(kind) for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE, resource.RLIMIT_FSIZE)],
    sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    signals,
    sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:4],
    "LEFT" in os.environ,
    hasattr(sys, "left"),
    open("/proc/self/oom_score_adj").read().strip(),
    libc.prctl(3, 0, 0, 0, 0),
    flush=True,
)

sys.left = os.environ["LEFT"] = "left"
os.nice(19)
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.setpriority(os.PRIO_USER, 0, 19)
os.setpriority(os.PRIO_PGRP, 0, 19)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
for victim in (1, os.getppid()):
    for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_CPU):
        try:
            resource.prlimit(victim, kind, (1, 1))
        except PermissionError:
            pass
    for change in (lambda: os.setpriority(os.PRIO_PROCESS, victim, 19), lambda: os.sched_setaffinity(victim, {0})):
        try:
            change()
        except PermissionError:
            pass
for path in ("/proc/self/oom_score_adj", f"/proc/{os.getppid()}/oom_score_adj", f"/proc/{os.getppid()}/autogroup"):
    try:
        with open(path, "w") as file:
            file.write("19")
    except PermissionError:
        pass
if os.fork() == 0:
    os.setsid()
    signal.pause()
