"""As many threads as there can be."""

import threading

try:
    for count in range(100_000):
        threading.Thread(target=threading.Event().wait, daemon=True).start()
except RuntimeError:
    print(count, flush=True)
    raise
