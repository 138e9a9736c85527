"""Every way into another process, tried on the supervisor, on the process that waits, and on their files; prints what worked."""

import ctypes
import os
import socket

libc = ctypes.CDLL(None, use_errno=True)
victims = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and os.stat(f"/proc/{pid}").st_uid == 0]
print("victims", len(victims) >= 2)

# A descriptor that leads to the supervisor must not have come along.
for fd in range(256):
    try:
        target = os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        continue
    if target.startswith(("socket:", "/proc", "anon_inode")) or (target.startswith("pipe:") and fd > 3):
        print("worked: inherited", fd, target)


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


buffer = ctypes.create_string_buffer(16)
vector = Vector(ctypes.addressof(buffer), 16)
for pid in victims:
    calls = {
        "ptrace attach": (101, 16, pid, 0, 0),
        "ptrace seize": (101, 0x4206, pid, 0, 0),
        "process_vm_readv": (310, pid, ctypes.byref(vector), 1, ctypes.byref(vector), 1, 0),
        "process_vm_writev": (311, pid, ctypes.byref(vector), 1, ctypes.byref(vector), 1, 0),
        "kcmp": (312, pid, os.getpid(), 0, 0, 0),
        "prlimit": (302, pid, 7, ctypes.byref(vector), 0),
        "move_pages": (279, pid, 0, 0, 0, 0, 0),
        "migrate_pages": (256, pid, 0, 0, 0),
        "setpriority": (141, 0, pid, 19),
        "ioprio_set": (251, 1, pid, 3 << 13),
        "sched_setaffinity": (203, pid, 8, buffer),
        "kill": (62, pid, 0),
        "tgkill": (234, pid, pid, 15),
        "rt_sigqueueinfo": (129, pid, 15, ctypes.create_string_buffer(128)),
        "setpgid": (109, pid, os.getpid()),
        "process_madvise": (440, pid, ctypes.byref(vector), 1, 4, 0),
        "process_mrelease": (448, pid, 0),
    }
    for name, (number, *arguments) in calls.items():
        if libc.syscall(number, *arguments) >= 0:
            print("worked:", name, pid)
    pidfd = libc.syscall(434, pid, 0)
    if pidfd >= 0:
        for target in range(16):
            if libc.syscall(438, pidfd, target, 0) >= 0:
                print("worked: pidfd_getfd", pid, target)
        if libc.syscall(424, pidfd, 15, 0, 0) >= 0:
            print("worked: pidfd_send_signal", pid)
        if libc.setns(pidfd, 0x20000000) >= 0:
            print("worked: setns", pid)
    for name in ("mem", "maps", "environ", "auxv", "syscall", "stack", "pagemap", "exe", "cwd", "root", "fd", "fdinfo", "map_files", "io", "personality"):
        path = f"/proc/{pid}/{name}"
        try:
            if os.path.isdir(path):
                listed = os.listdir(path)
                print("worked: list", path, listed[:3])
            elif os.path.islink(path):
                print("worked: readlink", path, os.readlink(path))
            elif open(path, "rb").read(1):
                print("worked: read", path)
        except OSError:
            pass
    for name in ("mem", "oom_score_adj", "autogroup", "clear_refs", "coredump_filter", "comm", "timerslack_ns", "uid_map", "setgroups", "loginuid", "attr/current", "sched"):
        try:
            with open(f"/proc/{pid}/{name}", "r+b", buffering=0) as file:
                file.write(b"1")
            print("worked: write", name, pid)
        except OSError:
            pass
    for target in range(64):
        for flags in (os.O_RDONLY, os.O_WRONLY):
            try:
                os.close(os.open(f"/proc/{pid}/fd/{target}", flags | os.O_NONBLOCK))
                print("worked: open descriptor", target, "of", pid)
            except OSError:
                pass
for line in open("/proc/net/unix").read().splitlines()[1:]:
    name = line.split()[7:]
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM) if name else ():
        try:
            socket.socket(socket.AF_UNIX, kind).connect(name[0].replace("@", "\0"))
            print("worked: connect", name)
        except OSError:
            pass
print("tried")
