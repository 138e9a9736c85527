"""Many processes, each of them modest."""

import os
import time

for _ in range(60):
    if os.fork() == 0:
        held = b"x" * (10 << 20)
        time.sleep(60)
while True:
    pid, status = os.wait()
    if status != 0:
        os._exit(7)
