"""What the waiting process gets ready for the function's code, which it reads and never runs: modules, and first times."""

import gc
import importlib
import os
import re
import sys

from nanogrid_job import SET_AHEAD, WORK_DIR, as_main, flush, pairs_of, read_file
from nanogrid_pages import hold_still

CODE_DIR = "/nanogrid/state/code"
# Of the standard library, but not to be imported for what importing them does.
NEVER_PRELOAD = frozenset(("antigravity", "idlelib", "lib2to3", "rlcompleter", "readline", "test", "this", "tkinter", "turtle"))
IMPORTS = re.compile(rb"^[ \t]*(?:import[ \t]+([\w. \t,]+)|from[ \t]+([\w.]+)[ \t]+import\b)", re.MULTILINE)


def preload(names):
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:  # a package that is not in the image is no reason not to start
            os.write(2, f"preload of {name} failed: {error}\n".encode("utf-8", "replace"))


# Of what programs do, as much as has no effect.
REHEARSAL = """
import json, os, sys
class Answer(dict):
    pass
def answer(a, b=()):
    return Answer(a=a, b=[x for x in b], **{"c": len(b)})
with open(__file__) as source:
    lines = source.read().split()
try:
    event = json.loads(os.environ["PAYLOAD"])
except ValueError:
    event = json.loads('{"name": "x", "n": [1, 2.5, null, true]}')
print(json.dumps(answer(event["name"], [1, 2.5, "x", None, True])))
print("%s %r" % (lines[:1], sys.argv), f"{event['name']:>5}")
"""
REHEARSALS = 20  # enough for the interpreter to have made up its mind about each step


def rehearse():
    """What the interpreter makes when something is done the first time (the compiler's types alone take a
    millisecond), every child would make again."""
    argv, path, main, out = sys.argv, sys.path[:], sys.modules["__main__"], os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    for _ in range(REHEARSALS):
        for name, value in pairs_of([f"{name}=x" for name in SET_AHEAD]).items():
            os.environ[name] = value
        sys.argv = [__file__]
        sys.path.insert(0, WORK_DIR)
        module = as_main(__file__)
        read_file(__file__)
        exec(compile(REHEARSAL, WORK_DIR, "exec", dont_inherit=True), module.__dict__)
        flush(0)
        for name in ("PAYLOAD", "FUNCTION_ID"):
            del os.environ[name]
        sys.path[:] = path
    os.dup2(out, 1)
    os.close(out)
    os.close(null)
    sys.argv, sys.modules["__main__"] = argv, main


def settle(final):
    """What is here now will be shared with every child: keep the collector's hands off it, and theirs."""
    if final:
        rehearse()
    gc.collect()
    gc.disable()
    hold_still(final)


def survey_code():
    """What the function's code imports, and the names of its own top-level modules. The code is read, never run.
    Code that is too much to look through is taken to import nothing known."""
    imports = set()
    budget = 4 << 20
    for folder, _, files in os.walk(CODE_DIR):
        for name in files:
            if not name.endswith(".py") or budget < 0:
                continue
            with open(os.path.join(folder, name), "rb") as file:
                text = file.read(budget + 1)
            budget -= len(text)
            if b"async def" in text:
                imports.add("asyncio")
            for plain, origin in IMPORTS.findall(text):
                for part in (plain or origin).split(b","):
                    words = part.split()
                    if words:
                        imports.add(words[0].decode("ascii", "replace"))
    own = {name.partition(".")[0] for name in os.listdir(CODE_DIR)} if os.path.isdir(CODE_DIR) else set()
    return imports, own


def get_ready(standard, own, native):
    """Loads what the code will import, and makes way for modules of its own that are named like one loaded here."""
    preload(standard)
    for name in list(sys.modules):
        top = name.partition(".")[0]
        if top in own and top not in native:
            del sys.modules[name]
    settle(final=True)
