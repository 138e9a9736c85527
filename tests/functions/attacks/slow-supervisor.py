"""Tries to lower the priority of process 1, which each later job of its would inherit, for as long as it lives."""

import ctypes
import os
import time

libc = ctypes.CDLL(None)
print(os.getpriority(os.PRIO_PROCESS, 0), os.getpriority(os.PRIO_PROCESS, 1), flush=True)
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        while libc.setpriority(os.PRIO_PROCESS, 1, 19) != 0:
            pass
        print('done', flush=True)
time.sleep(0.02)
