"""Takes longer than it may: its time limit (see function.json) ends it, and its result says so."""

import time

print("This takes an hour ...", flush=True)
time.sleep(3600)
print("never printed")
