/* A job with a crowd of processes shares its container's processor time with us: with a hundred that never rest it is some
 * hundred milliseconds until it is our turn, and its deadline is long over. Such a job comes last in its container: its
 * processes get the lowest priority. That changes nothing between containers, so the worker is told, which can make the
 * container come last. So it is with a job that uses more than its share of the processors: the kernel (Linux 6.18) stops
 * a process that is over it when that leaves the kernel, and a process that is being made or ended stays there.
 * Owns when the running job was looked at. */
#include <sys/resource.h>

#include "supervisor.h"

/* Processes and threads of the container, ours and the waiting ones included. */
#define CROWD 32
/* A crowd grows within milliseconds, and we have to look before it is one that keeps us from looking. */
#define SOON_US 60000
#define FIRST_LOOKS_US 4000
#define LOOK_US 15000
/* Processes that are being made while the others are named may be missed. */
#define TIMES 3
/* More than the kernel hands out ahead to each processor, and of our own, which the share counts too. */
#define OVERDRAWN_US 20000

static struct {
  uint64_t begun_us, cpu_before_us, soon_until_us, next_us;
  int times;
} crowd;

/* Our real user stays root, or we would be among those that this names. */
void slow_job(void) {
  act_as_job();
  (void)setpriority(PRIO_USER, config.uid, 19); /* a wish: without it the end comes a little later */
  act_as_root();
}

void crowd_begin(uint64_t now, uint64_t cpu_us) {
  crowd.begun_us = now;
  crowd.cpu_before_us = cpu_us;
  crowd.soon_until_us = now + SOON_US;
  crowd.next_us = now + FIRST_LOOKS_US;
  crowd.times = 0;
}

static bool overdrawn(uint64_t now) {
  uint64_t used = meter_cpu_us(), allowed = meter_cpu_allowed_us(now - crowd.begun_us);
  return allowed < UINT64_MAX - OVERDRAWN_US && used > crowd.cpu_before_us + allowed + OVERDRAWN_US;
}

int64_t crowd_look(void) {
  if (crowd.times == TIMES) return INT64_MAX;
  uint64_t now = now_us();
  if (now >= crowd.next_us) {
    if (meter_processes() > CROWD || overdrawn(now)) {
      if (!crowd.times) host_frame(FRAME_CROWD, "", 0);
      slow_job();
      crowd.times++;
    }
    crowd.next_us = now + (now < crowd.soon_until_us ? FIRST_LOOKS_US : LOOK_US);
  }
  return (int64_t)(crowd.next_us - now);
}
