"""Makes the calls of its input, one after the other or all at once, and tells what came of each."""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from nanogrid_ai import AiError, chat, generate


def call(case):
    options = {name: case[name] for name in ("stream", "extra", "api") if name in case}
    if "path" in case:
        options["endpoint"] = os.environ["AI_ENDPOINT"] + case["path"]
    if "timeoutMs" in case:
        options["timeout"] = case["timeoutMs"] / 1000
    pieces = 0
    try:
        if "messages" in case:
            answer = chat(case["model"], case["messages"], **options)
        else:
            answer = generate(case["model"], case["prompt"], system=case.get("system"), **options)
        if case.get("stream"):
            stream = answer
            for _ in stream:
                pieces += 1
                if pieces == case.get("leaveAfter"):
                    stream.close()
                    return {"pieces": pieces}
            answer = stream.answer
    except AiError as error:
        return {"error": error.code, "status": error.status, "pieces": pieces, "message": str(error)}
    tokens = {"promptTokens": answer.prompt_tokens, "completionTokens": answer.completion_tokens}
    return {"text": answer.text, "model": answer.model, **tokens, "pieces": pieces}


def main():
    order = json.load(sys.stdin)
    for name, value in order.get("env", {}).items():
        os.environ[name] = value
    if "folder" in order:
        os.chdir(order["folder"])
    if order.get("atOnce"):
        with ThreadPoolExecutor(len(order["calls"])) as pool:
            ends = list(pool.map(call, order["calls"]))
    else:
        ends = [call(case) for case in order["calls"]]
    print(json.dumps(ends))


main()
