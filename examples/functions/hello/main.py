"""The smallest function: reads its input, prints a line, and answers with JSON on its last line."""

import json
import sys

event = json.load(sys.stdin)
name = (event or {}).get("name", "world")
print(f"Saying hello to {name} ...")
print(json.dumps({"greeting": f"Hello, {name}!"}))
