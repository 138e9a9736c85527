"""What the waiting process gets ready for the function's code, which it reads and never runs: modules, and first times."""

import builtins
import gc
import importlib
import os
import re
import sys

from nanogrid_job import SET_AHEAD, WORK_DIR, pairs_of

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
def answer(a, b=()):
    return {"a": a, "b": [x for x in b]}
text = json.dumps(json.loads(json.dumps(answer(1, [1, 2.5, "x", None, True]))))
"%s %r" % (text, sys.argv)
"""
REHEARSALS = 20  # enough for the interpreter to have made up its mind about each step


def rehearse():
    """What the interpreter makes when something is done the first time (the compiler's types alone take a
    millisecond), every child would make again."""
    for _ in range(REHEARSALS):
        for name, value in pairs_of([f"{name}=x" for name in SET_AHEAD]).items():
            os.environ[name] = value
        exec(compile(REHEARSAL, WORK_DIR, "exec", dont_inherit=True), {"__builtins__": builtins})


def settle():
    """What is here now will be shared with every child: keep the collector's hands off it."""
    rehearse()
    gc.collect()
    gc.disable()
    gc.freeze()


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
    settle()
