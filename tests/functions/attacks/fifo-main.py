"""Leaves a named pipe where the next job's process looks for its code, and enough output that it stays there a while."""

import os

print("started", flush=True)
os.unlink("main.py")
os.mkfifo("main.py")
with open("/output/large", "wb") as file:
    file.write(bytes(30 << 20))
