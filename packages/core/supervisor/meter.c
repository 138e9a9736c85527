/* The container's own counters of memory and CPU time, read from inside: cgroup v1 or v2, whichever is mounted. Owns
 * the open counter files, and what was sampled of the running job's memory.
 *
 * The kernel's high-water mark includes page cache, which is not the job's: what it held without it is looked at every
 * SAMPLE_US while a job runs. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "supervisor.h"

#define SAMPLE_US 15000

static int usage_fd = -1, peak_fd = -1, stat_fd = -1, kernel_fd = -1, events_fd = -1, cpu_fd = -1, pids_fd = -1;
static int quota_fd = -1, period_fd = -1;
static bool v2;
static struct {
  uint64_t next_us, kernel_before, cache, held;
} sampled;

static int open_counter(const char *root, const char *name) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", root, name);
  return open(path, O_RDONLY | O_CLOEXEC);
}

void meter_init(const char *root) {
  usage_fd = open_counter(root, "memory.current");
  v2 = usage_fd >= 0;
  if (!v2) usage_fd = open_counter(root, "memory/memory.usage_in_bytes");
  peak_fd = open_counter(root, v2 ? "memory.peak" : "memory/memory.max_usage_in_bytes");
  stat_fd = open_counter(root, v2 ? "memory.stat" : "memory/memory.stat");
  kernel_fd = v2 ? -1 : open_counter(root, "memory/memory.kmem.usage_in_bytes");
  events_fd = open_counter(root, v2 ? "memory.events" : "memory/memory.oom_control");
  cpu_fd = open_counter(root, v2 ? "cpu.stat" : "cpuacct/cpuacct.usage");
  pids_fd = open_counter(root, v2 ? "pids.current" : "pids/pids.current");
  quota_fd = open_counter(root, v2 ? "cpu.max" : "cpu/cpu.cfs_quota_us");
  period_fd = v2 ? -1 : open_counter(root, "cpu/cpu.cfs_period_us");
}

static const char *read_counter(int fd) {
  static char text[8192];
  ssize_t n = fd < 0 ? 0 : pread(fd, text, sizeof text - 1, 0);
  text[n > 0 ? n : 0] = 0;
  return text;
}

static uint64_t number_after(const char *text, const char *key) {
  size_t length = strlen(key);
  for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
    if (!strncmp(line, key, length)) return strtoull(line + length, NULL, 10);
  return 0;
}

/* File pages that the kernel can drop: all file pages, less those of tmpfs and shared memory, which it counts among them
 * and which are the job's. The lists of active and inactive file pages would not do: memory that a program has given
 * back for later (MADV_FREE) is on them too. */
static uint64_t read_cache(void) {
  const char *text = read_counter(stat_fd);
  uint64_t all = number_after(text, v2 ? "file " : "total_cache ");
  uint64_t shared = number_after(text, v2 ? "shmem " : "total_shmem ");
  /* Beside their pages the kernel keeps entries of folders and inodes, which v2 counts apart. */
  return (all > shared ? all - shared : 0) + (v2 ? number_after(text, "slab_reclaimable ") : 0);
}

static uint64_t read_number(int fd) { return strtoull(read_counter(fd), NULL, 10); }

/* How much more the kernel itself holds than when the job began. */
static uint64_t kernel_growth(void) {
  uint64_t now = read_number(kernel_fd);
  return now > sampled.kernel_before ? now - sampled.kernel_before : 0;
}

uint64_t meter_processes(void) { return read_number(pids_fd); }

uint64_t meter_oom_kills(void) { return number_after(read_counter(events_fd), "oom_kill "); }

void meter_read(memory_t *out) {
  out->usage = read_number(usage_fd);
  out->peak = read_number(peak_fd);
  out->oom_kills = meter_oom_kills();
  out->cache = out->max_cache = read_cache();
  out->max_held = 0;
}

void meter_begin(memory_t *out) {
  memset(&sampled, 0, sizeof sampled);
  sampled.next_us = now_us() + SAMPLE_US;
  sampled.kernel_before = read_number(kernel_fd);
  meter_read(out);
  sampled.cache = out->cache;
}

void meter_end(memory_t *out) {
  meter_read(out);
  if (sampled.cache < out->cache) sampled.cache = out->cache;
  /* With every process dead, what the kernel has kept is its record of folders and files: cache as well. */
  uint64_t kept = kernel_growth();
  out->cache += kept;
  out->max_cache = sampled.cache + kept;
  out->max_held = sampled.held;
}

int64_t meter_sample(void) {
  uint64_t now = now_us();
  if (now >= sampled.next_us) {
    uint64_t cache = read_cache(), other = cache + kernel_growth(), usage = read_number(usage_fd);
    if (sampled.cache < cache) sampled.cache = cache;
    if (usage > other && sampled.held < usage - other) sampled.held = usage - other;
    sampled.next_us = now + SAMPLE_US;
  }
  return (int64_t)(sampled.next_us - now);
}

uint64_t process_cpu_us(pid_t pid) {
  /* As clock_getcpuclockid() makes it, which asks the kernel first whether there is such a process. */
  clockid_t clock = (clockid_t)((~(uint32_t)pid << 3) | 2);
  struct timespec t;
  if (pid <= 0 || clock_gettime(clock, &t) < 0) return 0;
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t meter_cpu_us(void) {
  const char *text = read_counter(cpu_fd);
  uint64_t all = v2 ? number_after(text, "usage_usec ") : strtoull(text, NULL, 10) / 1000; /* v1: nanoseconds */
  uint64_t ours = process_cpu_us(getpid()) + process_cpu_us(shim_pid);
  return all > ours ? all - ours : 0;
}

uint64_t meter_cpu_allowed_us(uint64_t elapsed_us) {
  char *rest;
  uint64_t period = read_number(period_fd);
  long long quota = strtoll(read_counter(quota_fd), &rest, 10); /* "max" and -1: without bounds */
  if (v2) period = strtoull(rest, NULL, 10);
  if (quota <= 0 || !period) return UINT64_MAX;
  return (elapsed_us / period + 2) * (uint64_t)quota; /* at both ends a period may be seen in part only */
}

int meter_print(int count, char **roots) {
  for (int i = 0; i < count; i++) {
    memory_t now;
    meter_init(roots[i]);
    meter_read(&now);
    uint64_t allowed = meter_cpu_allowed_us(1000000);
    const char *cpu = read_counter(cpu_fd);
    printf("%s usage=%llu peak=%llu cache=%llu oom_kills=%llu cpu_us=%llu allowed_us=%llu\n", v2 ? "v2" : "v1",
           (unsigned long long)now.usage, (unsigned long long)now.peak, (unsigned long long)now.cache,
           (unsigned long long)now.oom_kills,
           (unsigned long long)(v2 ? number_after(cpu, "usage_usec ") : strtoull(cpu, NULL, 10) / 1000),
           (unsigned long long)(allowed == UINT64_MAX ? 0 : allowed));
  }
  return 0;
}
