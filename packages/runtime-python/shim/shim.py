"""The waiting Python process: forks a fresh process for each job, so that no job pays for the interpreter's start.

Started as root by the supervisor, with a SOCK_SEQPACKET socket as file descriptor 3 (docs/supervisor-protocol.md).
It never runs user code itself: a child (`nanogrid_job.py`) drops to the job's user before it runs the first byte of it.
One child is always forked ahead, and waits for its job.

A fork costs more the more is loaded, so as little as possible is: when the container gets its code, the waiting
process looks at what the code imports and loads that much of the standard library. Where the code names one of the
packages to preload (numpy, pandas, ...), a second process that has them takes over; else that one ends.
"""

import sys

NATIVE_MODULES = frozenset(sys.modules)  # what every Python program finds loaded

import _signal
import _socket
import ctypes
import io
import json
import os
import struct

from nanogrid_ahead import NEVER_PRELOAD, get_ready, preload, settle, survey_code
from nanogrid_job import PR_SET_DUMPABLE, become_job, get_set, make_stdin

CONTROL = 3
AI_CLIENT = "nanogrid_ai"  # in the image, for the code that names it
FDS = struct.Struct("4i")
FDS_OF_KEPT = struct.Struct("5i")


def wait_for_job(control, uid, prctl):
    """The spare process: waits for a job, then is it. Never returns."""
    code = 1
    try:
        control.send(b"START")
        get_set(uid)
        message, rights, _, _ = control.recvmsg(512 * 1024, _socket.CMSG_SPACE(FDS_OF_KEPT.size))
        if not message:
            os._exit(0)
        data = rights[0][2]
        layout = FDS_OF_KEPT if len(data) >= FDS_OF_KEPT.size else FDS
        fds = layout.unpack(data[: layout.size])
        control.detach()
        become_job(message.decode("utf-8", "surrogateescape").split("\0")[:-1], fds, uid, prctl)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def serve(control, uid, prctl):
    """Runs jobs until the supervisor is gone: forks the next one's process as soon as one has ended."""
    numpy_random = sys.modules.get("numpy.random")
    bound = False
    while True:
        pid = os.fork()
        if pid == 0:
            wait_for_job(control, uid, prctl)
        if not bound:
            bound = True
            control.send(b"BOUND")
        _, status, usage = os.wait4(pid, 0)
        cpu = int((usage.ru_utime + usage.ru_stime) * 1e6)
        control.send(b"EXIT %d %d %d" % (status, cpu, usage.ru_maxrss * 1024))
        if numpy_random is not None:
            numpy_random.seed()  # the next process must not draw the same numbers


def make_streams():
    """The standard streams of every child. What they stand on is looked at when they are made, so for the moment
    the descriptors are of the kind that a job has: a file to read, and pipes to write."""
    kept = [os.dup(fd) for fd in range(3)]
    read_end, write_end = os.pipe()
    file = os.open(__file__, os.O_RDONLY)
    os.dup2(file, 0)
    os.dup2(write_end, 1)
    os.dup2(write_end, 2)

    def raw(fd, mode):
        return io.FileIO(fd, mode, closefd=False)

    sys.stdin = make_stdin()
    # A line reaches the log when it is written, even if the job is killed the moment after.
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw(1, "w")), encoding="utf-8", errors="surrogateescape", line_buffering=True
    )
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(raw(2, "w")), encoding="utf-8", errors="backslashreplace", line_buffering=True
    )
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    for fd, copy in enumerate(kept):
        os.dup2(copy, fd)
        os.close(copy)
    for fd in (file, read_end, write_end):
        os.close(fd)


def main():
    uid = int(os.environ.pop("NANOGRID_UID"))
    packages = [name for name in os.environ.pop("NANOGRID_PRELOAD", "").split(",") if name]
    shim_directory = os.path.dirname(os.path.abspath(__file__))
    for name in ("nanogrid_ahead", "nanogrid_job", "nanogrid_pages"):
        del sys.modules[name]  # a function may have modules of these names
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != shim_directory]
    sys.dont_write_bytecode = True
    make_streams()
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    control = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0, CONTROL)
    heavy = 0
    if packages:
        orders, give_order = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        heavy = os.fork()
        if heavy == 0:
            give_order.close()
            preload(packages)
            settle(final=False)
            order = orders.recv(1 << 16).decode()
            if not order:
                os._exit(0)
            orders.close()
            standard, own = json.loads(order)
            get_ready(standard, own, NATIVE_MODULES)
            serve(control, uid, prctl)
            os._exit(0)
        orders.close()
    settle(final=False)
    control.send(b"READY %d.%d.%d" % sys.version_info[:3])
    if control.recv(16)[:4] != b"BIND":
        return
    imports, own = survey_code()
    wanted = {name.partition(".")[0] for name in imports}
    offered = {name.partition(".")[0] for name in packages}
    known = sys.stdlib_module_names - NEVER_PRELOAD - own
    standard = sorted(name for name in imports if name.partition(".")[0] in known)[:200]
    if AI_CLIENT in wanted - own:
        standard.append(AI_CLIENT)
    if wanted & offered and not own & offered:
        give_order.send(json.dumps([standard, sorted(own & sys.stdlib_module_names)]).encode())
        os._exit(1 if os.waitpid(heavy, 0)[1] else 0)  # from here on the other process serves
    if heavy:
        os.kill(heavy, _signal.SIGKILL)
        os.waitpid(heavy, 0)
        give_order.close()
    get_ready(standard, own, NATIVE_MODULES)
    serve(control, uid, prctl)


main()
