"""One job, in the process that was forked for it: becoming the job's user, running a script or a handler, ending."""

import _signal
import atexit
import builtins
import gc
import importlib
import io
import json
import os
import sys
import time
import types

RESULT = 3  # takes a handler's value
JOBS = 4  # where a process that may be kept says that a job is over, and is given the next
WORK_DIR = "/function"
PR_SET_DUMPABLE = 4
# Of a job's environment: given a place before there is a job.
SET_AHEAD = ("PAYLOAD", "PAYLOAD_FILE", "JOB_ID", "REQUEST_ID", "FUNCTION_ID")


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
    text = environment.get("PAYLOAD")  # the same, where it is small
    event = json.loads(read_file(environment["PAYLOAD_FILE"]) if text is None else text)
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


# --- one job after the other ---


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
    stdin, given = sys.stdin, {**base, **environment}
    seen = variables()
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
        if not unread(stdin):
            stdin = None
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
        sys.stdin = stdin = stdin or make_stdin()
        os.chdir(WORK_DIR)
        os.umask(0o022)
        wanted = {**base, **environment}
        set_environment(wanted, given if seen is not None and variables() == seen else None)
        given, seen = wanted, variables()


def pairs_of(fields):
    return dict(field.split("=", 1) for field in fields if "=" in field)


def variables():
    """All of the environment, as it is kept; None where it is another object than Python's."""
    data = getattr(os.environ, "_data", None)
    return None if data is None else dict(data)


def set_environment(wanted, given):
    """Makes the environment be `wanted`. `given` is what it is, where that is known."""
    if given is None:
        given = dict(os.environ)
    for name in given:
        if name not in wanted:
            del os.environ[name]
    for name, value in wanted.items():
        if given.get(name) != value:
            os.environ[name] = value
            if name == "TZ":
                time.tzset()


def unread(stdin):
    """Whether nobody has touched it: then it will do for the next job as well."""
    try:
        return stdin is sys.stdin and (stdin.tell(), stdin.encoding, stdin.errors) == (0, "utf-8", "surrogateescape")
    except (OSError, ValueError):
        return False


def make_stdin():
    reader = io.BufferedReader(io.FileIO(0, "r", closefd=False))
    return io.TextIOWrapper(reader, encoding="utf-8", errors="surrogateescape")
