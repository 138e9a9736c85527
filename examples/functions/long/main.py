"""Works for as many seconds as it is told to, and says how far it is: for running asynchronously, and for cancelling."""

import time


def handler(event, context):
    seconds = float((event or {}).get("seconds", 60))
    ends = time.monotonic() + seconds
    steps = 0
    while (left := ends - time.monotonic()) > 0:
        print(f"{left:.0f} s of work are left; {context.get_remaining_time_in_millis() / 1000:.0f} s may be used", flush=True)
        time.sleep(min(1, left))
        steps += 1
    return {"seconds": seconds, "steps": steps}
