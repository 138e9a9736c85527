"""The operations of the conformance kit, for Python. The script's input is a JSON string: an operation and its arguments."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

count = 0


def hang():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("hanging", flush=True)
    subprocess.Popen(["sleep", "60"])
    time.sleep(60)


def bomb():
    for i in range(1, 1000):
        subprocess.Popen(["sleep", "20"])
        print(i, flush=True)


def files():
    os.makedirs("/output/a/b")
    for path in ("/output/a/b/bytes", "/output/empty"):
        with open(path, "wb") as file:
            file.write(bytes(range(256)) if path.endswith("bytes") else b"")
    sys.stdout.buffer.write(bytes(range(256)))


def given(raw):
    with open("/output/stdin", "wb") as file:
        file.write(raw)
    shutil.copyfile(os.environ["PAYLOAD_FILE"], "/output/file")
    with open("/output/env", "wb") as file:
        file.write(os.environb.get(b"PAYLOAD", b""))


def leave():
    for place in (".", "/tmp", "/var/tmp", "/dev/shm", "/output"):
        with open(f"{place}/left", "w") as file:
            file.write("left")


def read(path):
    try:
        with open(path) as file:
            print(file.read())
    except OSError:
        sys.exit(1)


def hold(mib, ms):
    held = b"x" * (mib << 20)
    time.sleep(ms / 1000)
    return held


def script():
    raw = sys.stdin.buffer.read()
    op, _, rest = json.loads(raw).partition(" ")
    if op == "hello":
        print('{"hello":"world"}')
    elif op == "print":
        print(rest)
    elif op == "env":
        print(os.environ[rest])
    elif op == "exit":
        print("out")
        print("err", file=sys.stderr)
        sys.exit(int(rest))
    elif op == "input":
        given(raw)
    elif op == "files":
        files()
    elif op == "flood":
        sys.stdout.write("x" * int(rest))
    elif op == "read":
        read(rest)
    elif op == "hold":
        hold(*map(int, rest.split()))
    elif op == "hang":
        hang()
    elif op == "fork-bomb":
        bomb()
    elif op == "leave":
        leave()
    elif op == "daemon":
        null = subprocess.DEVNULL
        print(subprocess.Popen(["sleep", "60"], stdin=null, stdout=null, stderr=null, start_new_session=True).pid)
    else:
        sys.exit(f"unknown operation: {op}")


def handler(event, context):
    global count
    if event["op"] == "value":
        return event["value"]
    if event["op"] == "context":
        return {
            "jobId": context.job_id,
            "functionId": context.function_id,
            "memoryMb": context.memory_limit_in_mb,
            "remainingMs": context.get_remaining_time_in_millis(),
        }
    if event["op"] == "fail":
        raise ValueError(event["message"])
    count += 1
    return count


if __name__ == "__main__":
    script()
