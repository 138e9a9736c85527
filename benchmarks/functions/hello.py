"""What the script rows run: reads its input, answers with one line of JSON."""

import json
import os

event = json.loads(os.environ["PAYLOAD"])
print(json.dumps({"hello": event["name"]}))
