"""Processes that mean to stay: twice forked, without a file, deaf, stopped, traced by one another, and multiplying."""

import ctypes
import os
import signal
import time

others = [pid for pid in os.listdir("/proc") if pid.isdigit() and os.stat(f"/proc/{pid}").st_uid == os.getuid()]
print("others", len(others), flush=True)
libc = ctypes.CDLL(None)
PTRACE_TRACEME, PTRACE_SEIZE = 0, 0x4206


def daemon(body):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 1024)
            for number in range(1, 65):
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass
            body()
        os._exit(0)


def sleep():
    while True:
        time.sleep(1000)


def stopped():
    os.kill(os.getpid(), signal.SIGSTOP)
    sleep()


def traced():
    child = os.fork()
    if child == 0:
        libc.ptrace(PTRACE_TRACEME, 0, 0, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        sleep()
    os.waitpid(child, os.WUNTRACED)
    sleep()


def tracing_its_tracer():
    child = os.fork()
    if child == 0:
        libc.ptrace(PTRACE_SEIZE, os.getppid(), 0, 0)
        sleep()
    sleep()


def multiplying():
    while True:
        if os.fork() == 0:
            os.setsid()
            continue
        os._exit(0)


for body in (sleep, stopped, traced, tracing_its_tracer, multiplying):
    daemon(body)
time.sleep(0.1)
