"""Has a language model sum a text up, through Ollama's API at AI_ENDPOINT. It needs the network grant "ai", and no other."""

import json
import os
from urllib.request import Request, urlopen


def handler(event, context):
    endpoint = os.environ.get("AI_ENDPOINT")
    if endpoint is None:
        raise RuntimeError('no AI_ENDPOINT: set "aiEndpoint" in the configuration, and grant this function "ai"')
    question = {
        "model": event.get("model", "llama3.2"),
        "prompt": f"Sum up in one sentence:\n\n{event['text']}",
        "stream": False,
    }
    request = Request(
        f"{endpoint.rstrip('/')}/api/generate",
        data=json.dumps(question).encode(),
        headers={"Content-Type": "application/json"},
    )
    # The platform's own limit comes first only by a moment, so that the log says what was waited for.
    with urlopen(request, timeout=max(1, context.get_remaining_time_in_millis() / 1000 - 1)) as response:
        answer = json.load(response)
    print(f"{answer['model']} used {answer.get('eval_count')} tokens for its answer")
    return {"summary": answer["response"].strip(), "model": answer["model"]}
