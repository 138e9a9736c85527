"""Memory that is shared between processes, and has no name."""

import mmap

held = []
while True:
    held.append(mmap.mmap(-1, 16 << 20))
    held[-1].write(b"x" * (16 << 20))
