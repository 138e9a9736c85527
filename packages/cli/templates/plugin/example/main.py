import json
import os
import sys

name = json.load(sys.stdin) or "you"
print(json.dumps(f"{os.environ['GREETING']}, {name}!"))
