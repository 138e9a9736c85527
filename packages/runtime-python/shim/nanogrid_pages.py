"""Keeps the pages of the waiting process as they are: after a fork each first write to one costs a copy of it, in every
child. Owns what fills its holes.

Two things make a child write where it changes nothing of its own. It counts references to objects that are there for
ever; and what it allocates goes into holes between them, over as many pages as there are holes. Nothing here changes
what a program can see, but for `sys.getrefcount`. Where the interpreter or the C library is another one than was
looked at, nothing is done: a job then costs more, and runs as well."""

import ctypes
import gc
import sys
import types

IMMORTAL = 0xFFFFFFFF  # PEP 683, in the object's first four bytes
NEVER_COUNTED = (None, True, (), "", 0)
POOL_BYTES = 16384  # of Python's own allocator, for up to 512 bytes
POOL_HEAD = 48
BYTES_HEAD = 33  # of a `bytes` object, with its final NUL
MOST_OBJECTS = 60_000  # more take longer to look at than they save
MOST_FILLERS = 5_000  # of one size
fillers = []


class MallocState(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]


def known_interpreter():
    """Whether reference counts lie where this file writes them: of objects that are never counted it is known."""
    if sys.implementation.name != "cpython" or sys.version_info[:2] != (3, 13):
        return False
    if sys.byteorder != "little" or sys.maxsize < 1 << 32:
        return False
    if not getattr(sys, "_is_gil_enabled", lambda: False)() or sys.getsizeof(b"") != BYTES_HEAD:
        return False
    probe = object()
    return ctypes.c_ssize_t.from_address(id(probe)).value == sys.getrefcount(probe) - 1 and all(
        ctypes.c_uint32.from_address(id(thing)).value == IMMORTAL for thing in NEVER_COUNTED
    )


def stop_counting():
    """Makes every object that the collector knows, and all that those refer to, one whose references are not counted.
    The collector then passes them over, so the next call looks at what has come since."""
    counts = (ctypes.c_uint32 * (1 << 60)).from_address(0)
    todo = gc.get_objects()
    looked_at = 0
    while todo and looked_at < MOST_OBJECTS:
        looked_at += len(todo)
        found = []
        for thing in todo:
            place = id(thing) >> 2
            if counts[place] != IMMORTAL and thing is not todo and thing is not found:
                counts[place] = IMMORTAL
                found.append(thing)
        todo = gc.get_referents(*found)
        for thing in found:
            if type(thing) is types.CodeType:  # of which the collector knows nothing
                todo += (thing.co_consts, thing.co_names, thing.co_name, thing.co_qualname, thing.co_filename)
    gc.freeze()


def fill_malloc():
    """What a child asks of `malloc` comes from the end of the heap, page after page, and not from between."""
    libc = ctypes.CDLL(None)
    try:
        malloc, free, sbrk, state = libc.malloc, libc.free, libc.sbrk, libc.mallinfo2
    except AttributeError:
        return
    malloc.restype = sbrk.restype = ctypes.c_void_p
    malloc.argtypes, free.argtypes, sbrk.argtypes = [ctypes.c_size_t], [ctypes.c_void_p], [ctypes.c_ssize_t]
    state.restype = MallocState
    libc.malloc_trim(0)
    end = sbrk(0)
    top = end - state().keepcost
    left = MOST_FILLERS
    for size in [1 << power for power in range(16, 10, -1)] + list(range(1032, 23, -16)):
        while left:
            left -= 1
            chunk = malloc(size)
            if chunk is None or not chunk < top:
                free(chunk)
                break


def fill_pools():
    """The same for small objects: of each size class the pools that are begun are filled."""
    for size in range(POOL_HEAD, 513, 16):
        last = None
        for _ in range(MOST_FILLERS):
            filler = bytes(size - BYTES_HEAD)
            fillers.append(filler)
            place = id(filler) % POOL_BYTES
            if last == POOL_HEAD and place == POOL_HEAD + size:
                break  # the second of a pool that nothing was in
            last = place


def hold_still(final):
    """Call it when all that children share is there; `final` before the first fork. Nothing may be collected between."""
    if not known_interpreter():
        gc.freeze()
        return
    stop_counting()
    if final:
        fill_malloc()
        fill_pools()
        gc.freeze()
