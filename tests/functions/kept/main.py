"""A handler that does what its input names, and tells what it finds of the jobs before it."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

jobs = 0
held = []


def processes():
    """Processes of this user beside this one. One that has ended, and that nobody waited for, is none."""
    found = 0
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                dead = ") Z " in open(f"/proc/{name}/stat").read()
                found += not dead and os.stat(f"/proc/{name}").st_uid == os.getuid()
            except OSError:
                pass
    return found


def files():
    return sorted(os.path.join(place, name) for place in ("/tmp", "/output", "/function") for name in os.listdir(place))


def child_after(seconds, what):
    pid = os.fork()
    if pid == 0:
        time.sleep(seconds)
        what()
        os._exit(0)


def wake_by_timer():
    """A timer of the kernel that sends this process SIGCONT every millisecond."""
    libc = ctypes.CDLL(None, use_errno=True)
    event = (ctypes.c_int * 16)()
    event[2], event[3] = signal.SIGCONT, 0  # sigev_signo after the value; SIGEV_SIGNAL
    timer = ctypes.c_void_p()
    assert libc.timer_create(1, ctypes.byref(event), ctypes.byref(timer)) == 0
    spec = (ctypes.c_long * 4)(0, 1_000_000, 0, 1_000_000)
    assert libc.timer_settime(timer, 0, ctypes.byref(spec), None) == 0


def tell(message, times):
    try:
        for _ in range(times):
            os.write(4, message)
    except OSError:
        pass


def leave_everything():
    os.chdir("/tmp")
    os.environ["LEFT"] = "1"
    del os.environ["PATH"]
    os.umask(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.stdout = open("/tmp/stdout", "w")
    sys.argv = ["other"]
    for path in ("/tmp/left", "/output/left", "/function/left", "/dev/shm/left"):
        open(path, "w").write("x")


def say_late():
    for i in range(2000):
        time.sleep(0.001)
        print("late")


def child_ends():
    child_after(0, lambda: os.write(4, b"END 0"))
    time.sleep(0.2)


def left_running():
    subprocess.Popen(["sh", "-c", "sleep 0.2; echo late; sleep 60"], start_new_session=True)
    child_after(0.2, lambda: print("late", flush=True))


def both_return():
    # The parent takes so long that the other has told its end before.
    if os.fork() == 0:
        os.close(3)
        os.open("/dev/null", os.O_WRONLY)
    else:
        time.sleep(0.2)


DEEDS = {
    "nothing": lambda: None,
    "print": lambda: print("whole line"),
    "half a line": lambda: sys.stdout.write("no end"),
    "exit": lambda: os._exit(3),
    "sys.exit": lambda: sys.exit(4),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda: ctypes.string_at(0),
    "hang": lambda: time.sleep(60),
    "raise": lambda: 1 / 0,
    "leave": leave_everything,
    "close": lambda: os.close(1),
    "close all": lambda: os.closerange(1, 50),
    "thread": lambda: threading.Thread(target=say_late, daemon=True).start(),
    "children": left_running,
    "child ends": child_ends,
    "fork": both_return,
    "end early": lambda: tell(b"END 0", 1),
    "end twice": lambda: tell(b"END 0", 2),
    "flood": lambda: tell(b"x" * 1000, 100_000),
    "wake": wake_by_timer,
    "hold": lambda: held.append(b"x" * (40 << 20)),
}


def handler(event, context):
    global jobs
    jobs += 1
    found = {
        "jobs": jobs,
        "pid": os.getpid(),
        "host": os.uname().nodename,
        "cwd": os.getcwd(),
        "left": os.environ.get("LEFT"),
        "path": "PATH" in os.environ,
        "mask": os.umask(0o022),
        "argv": sys.argv,
        "id": os.environ["JOB_ID"] == context.job_id,
        "processes": processes(),
        "files": files(),
        "stdin": sys.stdin.read(),
    }
    DEEDS[event["do"]]()
    return found
