"""Has a language model sum a text up. It needs the network grant "ai", and no other: the client is in the image."""

from nanogrid_ai import generate


def handler(event, context):
    # The platform's own limit comes first only by a moment, so that the log says what was waited for.
    timeout = max(1, context.get_remaining_time_in_millis() / 1000 - 1)
    prompt = f"Sum up in one sentence:\n\n{event['text']}"
    answer = generate(event.get("model", "llama3.2"), prompt, timeout=timeout)
    print(f"{answer.model} used {answer.completion_tokens} tokens for its answer")
    return {"summary": answer.text.strip(), "model": answer.model}
