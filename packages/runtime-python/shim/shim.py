"""The waiting Python process: forks a fresh process for each job, so that no job pays for the interpreter's start.

Started as root by the supervisor, with a SOCK_SEQPACKET socket as file descriptor 3 (docs/supervisor-protocol.md).
It never runs user code itself: a child drops to the job's user before it runs the first byte of it. One child is
always forked ahead, and waits for its job.

A fork costs more the more is loaded, so as little as possible is: when the container gets its code, the waiting
process looks at what the code imports and loads that much of the standard library. Where the code names one of the
packages to preload (numpy, pandas, ...), a second process that has them takes over; else that one ends.
"""

import sys

NATIVE_MODULES = frozenset(sys.modules)  # what every Python program finds loaded

import _signal
import _socket
import atexit
import builtins
import ctypes
import gc
import importlib
import io
import json
import os
import re
import struct
import time
import types

CONTROL = 3
RESULT = 3  # of a job, in place of the socket
JOBS = 4  # where a process that may be kept says that a job is over, and is given the next
WORK_DIR = "/function"
CODE_DIR = "/nanogrid/state/code"
PR_SET_DUMPABLE = 4
FDS = struct.Struct("4i")
FDS_OF_KEPT = struct.Struct("5i")
# Of a job's environment: given a place before there is a job.
SET_AHEAD = ("PAYLOAD", "PAYLOAD_FILE", "JOB_ID", "REQUEST_ID", "FUNCTION_ID")
# Of the standard library, but not to be imported for what importing them does.
NEVER_PRELOAD = frozenset(("antigravity", "idlelib", "lib2to3", "rlcompleter", "readline", "test", "this", "tkinter", "turtle"))
IMPORTS = re.compile(rb"^[ \t]*(?:import[ \t]+([\w. \t,]+)|from[ \t]+([\w.]+)[ \t]+import\b)", re.MULTILINE)


class Context:
    """What a handler knows about its own invocation."""

    def __init__(self, environment, remaining_ms, memory_mb):
        self.job_id = environment.get("JOB_ID", "")
        self.request_id = self.aws_request_id = environment.get("REQUEST_ID", "")
        self.function_id = environment.get("FUNCTION_ID", "")
        self.function_name = self.function_id
        self.memory_limit_in_mb = memory_mb
        self._deadline = time.monotonic() + remaining_ms / 1000

    def get_remaining_time_in_millis(self):
        """Milliseconds until the job's deadline, never below 0."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


class HandlerError(Exception):
    """The handler cannot be found, or returned what cannot be sent: told without a traceback."""


# --- in the child, for one job ---


def as_main(path):
    """A module `__main__` as `python3 path` would have it."""
    module = types.ModuleType("__main__")
    module.__file__ = path
    module.__builtins__ = builtins
    sys.modules["__main__"] = module
    return module


def run_script(entrypoint):
    path = os.path.join(WORK_DIR, entrypoint)
    sys.argv = [path]
    sys.path.insert(0, os.path.dirname(path))
    module = as_main(path)
    code = compile(read_file(path), path, "exec", dont_inherit=True)
    exec(code, module.__dict__)


def read_file(path):
    """The whole of it, without what a file object would make and look up first."""
    fd = os.open(path, os.O_RDONLY)
    try:
        parts = []
        while part := os.read(fd, os.fstat(fd).st_size + 1):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(fd)


def be_handler():
    """What a program that imports a handler finds: once for each process."""
    sys.path.insert(0, WORK_DIR)
    as_main(os.path.join(WORK_DIR, "__main__.py"))


def load_handler(name):
    module_name, _, function_name = name.rpartition(".")
    sys.argv = [WORK_DIR]
    module_name = module_name.replace("/", ".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name:
            raise
        raise HandlerError(f"handler {name!r}: there is no module {module_name!r} in the function's code") from None
    function = getattr(module, function_name, None)
    if not callable(function):
        raise HandlerError(f"handler {name!r}: module {module_name!r} has no function {function_name!r}")
    return function


def run_handler(name, environment, remaining_ms, memory_mb):
    function = load_handler(name)
    event = json.loads(read_file(environment["PAYLOAD_FILE"]))
    value = function(event, Context(environment, remaining_ms, memory_mb))
    if hasattr(value, "__await__"):
        import asyncio

        async def await_it():
            return await value

        value = asyncio.run(await_it())
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise HandlerError(f"handler {name!r} returned a value that is not JSON: {error}") from None
    view = memoryview(text.encode("utf-8", "surrogatepass"))
    while view:
        view = view[os.write(RESULT, view) :]


def report_exception():
    """Prints the exception as Python itself would: without the frames of this file."""
    kind, error, trace = sys.exc_info()
    if isinstance(error, HandlerError):
        print(error, file=sys.stderr, flush=True)
        return
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    error.__traceback__ = trace
    sys.excepthook(kind, error, trace)


def exit_code(error):
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr, flush=True)
    return 1


def finish():
    """What Python does at its end, without taking the whole interpreter apart."""
    threading = sys.modules.get("threading")
    try:
        if threading is not None:
            threading._shutdown()
    finally:
        atexit._run_exitfuncs()


def flush(code):
    return flush_streams((sys.stdout, sys.stderr), code)


def flush_streams(streams, code):
    for stream in streams:
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            code = code or 120
    return code


def get_set(uid):
    """Everything a job's process needs that can be done before there is a job. What will be written to is written to
    now: after a fork each first write to a page costs a copy of it, and here no job waits for that."""
    os.setsid()
    try:
        score = os.open("/proc/self/oom_score_adj", os.O_WRONLY)  # memory short: this process before the others
        os.write(score, b"1000")
        os.close(score)
    except OSError:
        pass
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.chdir(WORK_DIR)
    for name in SET_AHEAD:
        os.environ[name] = "x" * 64
    exec(compile("import sys\nfor n in range(2): str([n])\n", WORK_DIR, "exec"), {"__builtins__": builtins})
    for stream in (sys.stdout, sys.stderr):
        stream.write("")
        stream.flush()
    try:
        # The last job's files may still be there: a pipe in place of the code would be waited for without end.
        os.close(os.open(os.path.join(WORK_DIR, "main.py"), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW))
    except OSError:
        pass
    gc.enable()


def become_job(fields, fds, uid, prctl):
    """Runs the job: never returns. Until the user is dropped nothing of the function has been looked at."""
    for target, fd in enumerate(fds):
        # Descriptor 3, the way to the supervisor, becomes the job's result.
        os.dup2(fd, target, inheritable=target != JOBS)
        if fd != target:
            os.close(fd)
    may_be_kept = len(fds) > JOBS
    base = {name: os.environ[name] for name in os.environ if name not in SET_AHEAD} if may_be_kept else None
    os.setresuid(uid, uid, uid)
    # Changing the user made the process undumpable, which would hide its own /proc/self from it.
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    entrypoint, handler, remaining_ms = fields[1], fields[2], int(fields[3])
    environment = pairs_of(fields[5:] if may_be_kept else fields[4:])
    memory_mb = int(environment.pop("NANOGRID_MEMORY_MB", "0"))  # for the context, not for the environment
    for name in ("PAYLOAD", "FUNCTION_ID"):  # set ahead, and not of every job
        if name not in environment:
            del os.environ[name]
    for name, value in environment.items():
        os.environ[name] = value
    if "PYTHONPATH" in environment:
        for path in reversed(environment["PYTHONPATH"].split(":")):
            if path:
                sys.path.insert(0, path)
    if "TZ" in environment:
        time.tzset()
    code = 0
    try:
        try:
            if handler and may_be_kept:
                code = serve_kept(fields, environment, base, memory_mb)
            elif handler:
                be_handler()
                run_handler(handler, environment, remaining_ms, memory_mb)
            else:
                run_script(entrypoint)
        except SystemExit as error:
            code = exit_code(error)
        except KeyboardInterrupt:
            _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
            os.kill(os.getpid(), _signal.SIGINT)
        except BaseException:
            code = 1
            report_exception()
        finish()
    except BaseException:
        code = code or 1
        report_exception()
    os._exit(flush(code))


# --- in the child, for one job after the other ---


def identity():
    """What must be there for a process to take another job: itself, and its five descriptors."""
    try:
        return os.getpid(), [(about.st_dev, about.st_ino) for about in map(os.fstat, range(JOBS + 1))]
    except OSError:
        return None


def serve_kept(fields, environment, base, memory_mb):
    """Runs a handler for each RUN, in this process. Returns when it is not to be kept, with the exit code; what ends
    the process goes up as it does elsewhere."""
    me = identity()
    stdout, stderr = sys.stdout, sys.stderr
    be_handler()
    room = bytearray(512 * 1024)  # of which only what is written to takes memory
    while True:
        code = 0
        try:
            run_handler(fields[2], environment, int(fields[3]), memory_mb)
        except Exception:
            code = 1
            report_exception()
        if flush(0) or flush_streams((stdout, stderr), 0) or fields[4] != "1" or identity() != me:
            return code
        try:
            os.write(JOBS, b"END %d" % code)
            size = os.readv(JOBS, [room])
        except OSError:  # somebody else wrote to it: the supervisor does not listen any more
            return code
        if not size:
            return code
        # From here on it is another job.
        fields = room[:size].decode("utf-8", "surrogateescape").split("\0")[:-1]
        environment = pairs_of(fields[5:])
        memory_mb = int(environment.pop("NANOGRID_MEMORY_MB", "0"))
        sys.stdout, sys.stderr = stdout, stderr
        sys.stdin = make_stdin()
        os.chdir(WORK_DIR)
        os.umask(0o022)
        set_environment({**base, **environment})


def pairs_of(fields):
    return dict(field.split("=", 1) for field in fields if "=" in field)


def set_environment(wanted):
    for name in [name for name in os.environ if name not in wanted]:
        del os.environ[name]
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
            if name == "TZ":
                time.tzset()


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


# --- in the waiting process ---


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


def make_stdin():
    reader = io.BufferedReader(io.FileIO(0, "r", closefd=False))
    return io.TextIOWrapper(reader, encoding="utf-8", errors="surrogateescape")


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


def preload(names):
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:  # a package that is not in the image is no reason not to start
            os.write(2, f"preload of {name} failed: {error}\n".encode("utf-8", "replace"))


# Of what programs do, as much as has no effect.
REHEARSAL = """
import json, os, sys
def answer(a, b=()):
    return {"a": a, "b": [x for x in b]}
text = json.dumps(json.loads(json.dumps(answer(1, [1, 2.5, "x", None, True]))))
"%s %r" % (text, sys.argv)
"""
REHEARSALS = 20  # enough for the interpreter to have made up its mind about each step


def rehearse():
    """What the interpreter makes when something is done the first time (the compiler's types alone take a
    millisecond), every child would make again."""
    for _ in range(REHEARSALS):
        for name, value in pairs_of([f"{name}=x" for name in SET_AHEAD]).items():
            os.environ[name] = value
        exec(compile(REHEARSAL, WORK_DIR, "exec", dont_inherit=True), {"__builtins__": builtins})


def settle():
    """What is here now will be shared with every child: keep the collector's hands off it."""
    rehearse()
    gc.collect()
    gc.disable()
    gc.freeze()


def survey_code():
    """What the function's code imports, and the names of its own top-level modules. The code is read, never run.
    Code that is too much to look through is taken to import nothing known."""
    imports = set()
    budget = 4 << 20
    for folder, _, files in os.walk(CODE_DIR):
        for name in files:
            if not name.endswith(".py") or budget < 0:
                continue
            with open(os.path.join(folder, name), "rb") as file:
                text = file.read(budget + 1)
            budget -= len(text)
            if b"async def" in text:
                imports.add("asyncio")
            for plain, origin in IMPORTS.findall(text):
                for part in (plain or origin).split(b","):
                    words = part.split()
                    if words:
                        imports.add(words[0].decode("ascii", "replace"))
    own = {name.partition(".")[0] for name in os.listdir(CODE_DIR)} if os.path.isdir(CODE_DIR) else set()
    return imports, own


def get_ready(standard, own):
    """Loads what the code will import, and makes way for modules of its own that are named like one loaded here."""
    preload(standard)
    for name in list(sys.modules):
        top = name.partition(".")[0]
        if top in own and top not in NATIVE_MODULES:
            del sys.modules[name]
    settle()


def main():
    uid = int(os.environ.pop("NANOGRID_UID"))
    packages = [name for name in os.environ.pop("NANOGRID_PRELOAD", "").split(",") if name]
    shim_directory = os.path.dirname(os.path.abspath(__file__))
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
            order = orders.recv(1 << 16).decode()
            if not order:
                os._exit(0)
            orders.close()
            standard, own = json.loads(order)
            get_ready(standard, own)
            serve(control, uid, prctl)
            os._exit(0)
        orders.close()
    control.send(b"READY %d.%d.%d" % sys.version_info[:3])
    if control.recv(16)[:4] != b"BIND":
        return
    imports, own = survey_code()
    wanted = {name.partition(".")[0] for name in imports}
    offered = {name.partition(".")[0] for name in packages}
    known = sys.stdlib_module_names - NEVER_PRELOAD - own
    standard = sorted(name for name in imports if name.partition(".")[0] in known)[:200]
    if wanted & offered and not own & offered:
        give_order.send(json.dumps([standard, sorted(own & sys.stdlib_module_names)]).encode())
        os._exit(1 if os.waitpid(heavy, 0)[1] else 0)  # from here on the other process serves
    if heavy:
        os.kill(heavy, _signal.SIGKILL)
        os.waitpid(heavy, 0)
        give_order.close()
    get_ready(standard, own)
    serve(control, uid, prctl)


main()
