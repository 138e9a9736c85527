/* A job with a crowd of processes shares its container's processor time with us: with a hundred that never rest it is some
 * hundred milliseconds until it is our turn, and its deadline is long over. Such a job comes last in its container: its
 * processes get the lowest priority. That changes nothing between containers, so the worker is told, which can make the
 * container come last. Owns when the running job was looked at. */
#include <sys/resource.h>

#include "supervisor.h"

/* Processes and threads of the container, ours and the waiting ones included. */
#define CROWD 32
/* A crowd grows within milliseconds, and we have to look before it is one that keeps us from looking. */
#define SOON_US 30000
#define FIRST_LOOKS_US 4000
#define LOOK_US 15000
/* Processes that are being made while the others are named may be missed. */
#define TIMES 3

static struct {
  uint64_t soon_until_us, next_us;
  int times;
} crowd;

/* Our real user stays root, or we would be among those that this names. */
void slow_job(void) {
  act_as_job();
  (void)setpriority(PRIO_USER, config.uid, 19); /* a wish: without it the end comes a little later */
  act_as_root();
}

void crowd_begin(uint64_t now) {
  crowd.soon_until_us = now + SOON_US;
  crowd.next_us = now + FIRST_LOOKS_US;
  crowd.times = 0;
}

int64_t crowd_look(void) {
  if (crowd.times == TIMES) return INT64_MAX;
  uint64_t now = now_us();
  if (now >= crowd.next_us) {
    if (meter_processes() > CROWD) {
      if (!crowd.times) host_frame(FRAME_CROWD, "", 0);
      slow_job();
      crowd.times++;
    }
    crowd.next_us = now + (now < crowd.soon_until_us ? FIRST_LOOKS_US : LOOK_US);
  }
  return (int64_t)(crowd.next_us - now);
}
