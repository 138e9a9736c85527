"""Files that have no place at all."""

import os

while True:
    os.write(os.memfd_create("x"), b"x" * (16 << 20))
