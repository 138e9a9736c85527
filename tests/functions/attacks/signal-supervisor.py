"""Sends every signal to process 1 for as long as it lives, so that one meets the moment of the clean-up."""

import os
import signal
import time

for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
    if os.fork() == 0:
        os.setsid()
        for caught in (signal.SIGTERM, signal.SIGINT):
            signal.signal(caught, signal.SIG_IGN)
        while True:
            try:
                os.kill(1, number)
            except OSError:
                pass
time.sleep(0.05)
print("ended", flush=True)
