"""Signals process 1 for as long as it lives, to meet the moment in which that is the job's user to kill everyone. The
many that come first in the kernel's list, and so are killed first, make that moment long."""

import os
import signal
import time

for caught in (signal.SIGTERM, signal.SIGINT):
    signal.signal(caught, signal.SIG_IGN)
for _ in range(100):
    if os.fork() == 0:
        signal.pause()
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
    if os.fork() == 0:
        os.setsid()
        while True:
            try:
                os.kill(1, number)
            except OSError:
                pass
time.sleep(0.02)
print("ended", flush=True)
