"""A constant that takes for ever to work out, in code that is never run."""

if __name__ == "never":
    pass
eval(compile("[" + "(9,) * 400_000, " * 4_000 + "]", "bomb", "eval"))
