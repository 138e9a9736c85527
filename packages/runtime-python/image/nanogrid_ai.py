"""Calls a language model at AI_ENDPOINT, by Ollama's API or OpenAI's, and records the tokens of each call. Owns no state.

    from nanogrid_ai import generate, chat

    answer = generate("llama3.2", "Why is the sky blue?")
    print(answer.text, answer.completion_tokens)

    for piece in chat("llama3.2", [{"role": "user", "content": "Hello"}], stream=True):
        print(piece, end="", flush=True)
"""

import http.client
import io
import json
import os
import sys
import time
import weakref
from urllib.parse import urlsplit

__all__ = ["AiError", "Answer", "Stream", "chat", "generate"]

USAGE_FILE = ".llm_usage_stats.jsonl"
WORK_DIR = "/function"
MAX_ANSWER_BYTES = 32 << 20
MAX_LINE_BYTES = 1 << 20
MAX_ERROR_BYTES = 64 << 10
MAX_SECONDS = 1_000_000  # sockets take no infinite time; it is far beyond every job
MAX_COUNT = 2**53 - 1  # what every reader of JSON takes as it is


class AiError(Exception):
    """A call that did not give an answer. `code` is one of:

    - `configuration`: no endpoint, or a setting that cannot be used; nothing was sent
    - `unreachable`: no connection, or none that lasted until the answer began
    - `timeout`: the time was over
    - `service`: the service refused or failed; `status` is its HTTP status
    - `invalid-answer`: the answer is none, or too large
    - `interrupted`: the answer ended before it was whole
    """

    def __init__(self, code, message, status=None):
        super().__init__(message)
        self.code = code
        self.status = status


class Answer:
    """What the model said. `raw` is the service's last JSON object. Tokens are 0 where the service did not tell."""

    __slots__ = ("text", "model", "prompt_tokens", "completion_tokens", "raw")

    def __init__(self, text, model, prompt_tokens, completion_tokens, raw):
        self.text = text
        self.model = model
        self.prompt_tokens = prompt_tokens
        self.completion_tokens = completion_tokens
        self.raw = raw

    def __repr__(self):
        fields = (f"{name}={getattr(self, name)!r}" for name in self.__slots__[:-1])
        return f"Answer({', '.join(fields)})"


def generate(
    model, prompt, *, system=None, stream=False, timeout=300, extra=None, endpoint=None, api=None, api_key=None
):
    """Has a model go on from a prompt: an `Answer`, or with `stream=True` a `Stream` of its pieces.

    `timeout`: seconds for the whole call. `extra`: further fields of the request, as the service documents them.
    `endpoint`, `api` ("ollama" or "openai") and `api_key` overrule AI_ENDPOINT, AI_API and AI_API_KEY.
    Throws `AiError`.
    """
    service = _Service(endpoint, api, api_key)
    if service.api == "ollama":
        body = {"model": model, "prompt": prompt}
        if system is not None:
            body["system"] = system
        return service.call("/api/generate", body, extra, stream, timeout)
    messages = [{"role": "user", "content": prompt}]
    if system is not None:
        messages.insert(0, {"role": "system", "content": system})
    return service.call("/chat/completions", {"model": model, "messages": messages}, extra, stream, timeout)


def chat(model, messages, *, stream=False, timeout=300, extra=None, endpoint=None, api=None, api_key=None):
    """Has a model answer a conversation, `[{"role": "user", "content": "…"}, …]`. Everything else is as for `generate`."""
    service = _Service(endpoint, api, api_key)
    path = "/api/chat" if service.api == "ollama" else "/chat/completions"
    return service.call(path, {"model": model, "messages": messages}, extra, stream, timeout)


class Stream:
    """The pieces of an answer as they come, as strings. `answer` is the whole of it at the end, before that `None`.

    A stream that is left early is to be closed, by `close()` or by `with`: it then ends at the service, too.
    """

    def __init__(self, reading):
        self._reading = reading
        # One that is forgotten is recorded as well, at the end of the program at the latest.
        weakref.finalize(self, reading.close)
        self.answer = None

    def __iter__(self):
        return self

    def __next__(self):
        if self._reading is None:
            raise StopIteration
        try:
            piece = self._reading.piece()
        except BaseException:
            self.close()
            raise
        if piece is None:
            self.answer = self._reading.answer()
            self.close()
            raise StopIteration
        return piece

    def close(self):
        """Ends the call. What was counted until now is recorded."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class _Service:
    """Where the model is, and which of the two languages it speaks."""

    def __init__(self, endpoint, api, api_key):
        endpoint = endpoint or os.environ.get("AI_ENDPOINT")
        if not endpoint:
            hint = 'set "aiEndpoint" in the configuration of the worker, and grant this function "ai"'
            raise AiError("configuration", f"no AI_ENDPOINT: {hint}")
        try:
            url = urlsplit(endpoint)
            self.port = url.port
        except ValueError:
            url = None
        if url is None or url.scheme not in ("http", "https") or not url.hostname:
            raise AiError("configuration", f"AI_ENDPOINT is no http:// or https:// address: {endpoint!r}")
        self.tls, self.host, path = url.scheme == "https", url.hostname, url.path.rstrip("/")
        self.api = api or os.environ.get("AI_API") or "auto"
        if self.api == "auto":
            self.api = "openai" if path.endswith("/v1") else "ollama"
        if self.api not in ("ollama", "openai"):
            raise AiError("configuration", f'AI_API is {self.api!r}, and must be "ollama", "openai" or "auto"')
        self.prefix = "/v1" if self.api == "openai" and path == "" else path
        self.headers = {"Content-Type": "application/json", "Connection": "close"}
        api_key = api_key or os.environ.get("AI_API_KEY")
        if api_key:
            self.headers["Authorization"] = f"Bearer {api_key}"

    def call(self, path, body, extra, stream, timeout):
        body = {**body, **(extra or {}), "stream": bool(stream)}
        if stream and self.api == "openai":
            # Else a stream tells no tokens.
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        timed = _Timed(timeout)
        try:
            response = self.send(self.prefix + path, json.dumps(body).encode(), timed)
        except TimeoutError:
            raise AiError("timeout", f"the AI endpoint did not answer within {timeout} s") from None
        except (OSError, http.client.HTTPException) as error:
            hint = 'a function needs the grant "ai" for it'
            raise AiError("unreachable", f"the AI endpoint cannot be reached: {_words(error)} ({hint})") from error
        except ValueError as error:
            raise AiError("configuration", f"the request cannot be made: {_words(error)}") from error
        reading = _Reading(self.api, response, str(body["model"]), bool(stream), timeout)
        if stream:
            return Stream(reading)
        try:
            while reading.piece() is not None:
                pass
            return reading.answer()
        finally:
            reading.close()

    def send(self, path, body, timed):
        if self.tls:
            connection = http.client.HTTPSConnection(self.host, self.port, timeout=timed.left())
        else:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=timed.left())
        try:
            connection.connect()
            connection.sock = timed.wrap(connection.sock)
            connection.request("POST", path, body, self.headers)
            response = connection.getresponse()
        except BaseException:
            connection.close()
            raise
        if 200 <= response.status < 300:
            return response
        try:
            told = response.read(MAX_ERROR_BYTES)
        except (OSError, http.client.HTTPException):
            told = b""
        finally:
            response.close()
        raise AiError("service", f"the AI endpoint answered {response.status}{_reason(told)}", response.status)


class _Reading:
    """One answer while it comes. Owns the connection, and records the call once: at the end, however it ends."""

    def __init__(self, api, response, model, streams, timeout):
        self.api = api
        self.response = response
        self.model = model
        self.streams = streams
        self.timeout = timeout
        self.buffer = b""
        self.at_end = False
        self.finished = False  # the service said that it was all
        self.may_end = False  # it gave a reason for the end: some say no more than that
        self.counts = None
        self.texts = []
        self.raw = None
        self.size = 0

    def piece(self):
        """The next text that is not empty; None at the end of a whole answer."""
        while not self.finished:
            text = self.take(self.line() if self.streams else self.whole())
            if text:
                self.texts.append(text)
                return text
        return None

    def answer(self):
        prompt, completion = self.counts or (0, 0)
        return Answer("".join(self.texts), self.model, prompt, completion, self.raw)

    def close(self):
        response, self.response = self.response, None
        if response is None:
            return
        try:
            response.close()
        finally:
            # Until the service tells its counts there are those of the pieces that it sent, which are tokens, nearly.
            prompt, completion = self.counts or (0, len(self.texts) if self.streams else 0)
            _record(self.model, prompt, completion, self.finished and self.counts is not None)

    def read(self):
        if self.response is None:
            raise AiError("interrupted", "the stream was closed")
        try:
            chunk = self.response.read1(65536)
        except TimeoutError:
            raise AiError("timeout", f"the answer of the AI endpoint was not whole within {self.timeout} s") from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise AiError("interrupted", f"the answer of the AI endpoint broke off: {_words(error)}") from error
        if not chunk:
            self.at_end = True
            if self.response.length:
                raise AiError("interrupted", "the answer of the AI endpoint broke off")
        self.size += len(chunk)
        if self.size > MAX_ANSWER_BYTES:
            raise AiError("invalid-answer", f"the AI endpoint sent more than {MAX_ANSWER_BYTES} bytes")
        return chunk

    def whole(self):
        chunks = []
        while not self.at_end:
            chunks.append(self.read())
        self.finished = True
        return b"".join(chunks)

    def line(self):
        while (end := self.buffer.find(b"\n")) < 0:
            if len(self.buffer) > MAX_LINE_BYTES:
                raise AiError("invalid-answer", f"the AI endpoint sent a line of more than {MAX_LINE_BYTES} bytes")
            if self.at_end:
                if not self.buffer and self.may_end:
                    self.finished = True
                elif not self.buffer:
                    raise AiError("interrupted", "the answer of the AI endpoint ended before it was whole")
                end = len(self.buffer)
                break
            self.buffer += self.read()
        line, self.buffer = self.buffer[:end], self.buffer[end + 1 :]
        return line

    def take(self, line):
        """The text in one line of a stream, or in a whole answer."""
        line = line.strip()
        if self.streams and self.api == "openai":
            if line.startswith((b":", b"event:", b"id:", b"retry:")):
                return ""
            if line.startswith(b"data:"):
                line = line[5:].strip()
            if line == b"[DONE]":
                self.finished = True
                return ""
        if self.streams and not line:
            return ""
        try:
            answer = json.loads(line.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise AiError("invalid-answer", f"the AI endpoint answered what is no JSON object: {_start(line)}")
        return self.read_answer(answer)

    def read_answer(self, answer):
        self.raw = answer
        if isinstance(answer.get("model"), str) and answer["model"]:
            self.model = answer["model"]
        usage = answer.get("usage") if self.api == "openai" else answer
        names = ("prompt_tokens", "completion_tokens") if self.api == "openai" else ("prompt_eval_count", "eval_count")
        if isinstance(usage, dict) and any(name in usage for name in names):
            self.counts = tuple(_count(usage.get(name)) for name in names)
        if answer.get("error"):
            raise AiError("service", f"the AI endpoint failed{_reason(json.dumps(answer).encode())}", 200)
        if self.api == "ollama":
            if answer.get("done") is True:
                self.finished = True
            message = answer.get("message")
            text = message.get("content") if isinstance(message, dict) else answer.get("response")
        else:
            choices = answer.get("choices")
            choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
            self.may_end = self.may_end or choice.get("finish_reason") is not None
            message = choice.get("message" if "message" in choice else "delta")
            text = message.get("content", "") if isinstance(message, dict) else None
            if text is None and isinstance(message, dict):
                text = ""  # it calls tools and says nothing
        if not isinstance(text, str):
            if self.streams and text is None:
                return ""
            raise AiError("invalid-answer", "the answer of the AI endpoint holds no text")
        return text


class _Timed:
    """Seconds from now, for all that is done on one connection."""

    def __init__(self, timeout):
        self.end = time.monotonic() + min(timeout, MAX_SECONDS)

    def left(self):
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def wrap(self, sock):
        return _TimedSocket(sock, self)


class _TimedSocket:
    """As much of a socket as http.client needs. A service that sends a byte now and then is ended in time, too."""

    def __init__(self, sock, timed):
        self.sock = sock
        self.timed = timed

    def sendall(self, data):
        self.sock.settimeout(self.timed.left())
        self.sock.sendall(data)

    def makefile(self, mode):
        return io.BufferedReader(_TimedReader(self.sock, self.sock.makefile(mode, buffering=0), self.timed))

    def close(self):
        self.sock.close()


class _TimedReader(io.RawIOBase):
    def __init__(self, sock, raw, timed):
        self.sock = sock
        self.raw = raw
        self.timed = timed

    def readable(self):
        return True

    def readinto(self, buffer):
        self.sock.settimeout(self.timed.left())
        return self.raw.readinto(buffer)

    def close(self):
        self.raw.close()
        super().close()


def _count(value):
    """A count as the service told it; 0 for what can be none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= MAX_COUNT else 0


def _record(model, prompt_tokens, completion_tokens, whole):
    """Appends one line for one call, in one write: also where threads and processes do so at once."""
    record = {"model": model[:128], "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}}
    if not whole:
        record["incomplete"] = True
    folder = WORK_DIR if os.path.isdir(WORK_DIR) else "."
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        fd = os.open(os.path.join(folder, USAGE_FILE), flags, 0o644)
        try:
            os.write(fd, json.dumps(record).encode() + b"\n")
        finally:
            os.close(fd)
    except OSError as error:  # the answer is worth more than its record
        print(f"nanogrid_ai: the tokens of a call could not be recorded: {_words(error)}", file=sys.stderr)


def _reason(body):
    """What an error's body says, as a part of a sentence."""
    try:
        told = json.loads(body.decode("utf-8", "replace"))
        told = told.get("error", told.get("message", told.get("detail")))
        told = told.get("message") if isinstance(told, dict) else told
    except (ValueError, RecursionError, AttributeError):
        told = None
    return f": {told[:1000]}" if isinstance(told, str) and told else ""


def _start(line):
    return repr(line[:100].decode("utf-8", "replace"))


def _words(error):
    return str(error) or type(error).__name__
