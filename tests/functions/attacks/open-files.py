"""Ten thousand open files."""

held = []
try:
    for _ in range(10_000):
        held.append(open("/dev/null", "rb"))
except OSError:
    count = len(held)
    held.clear()
    print(count, flush=True)
    raise
