/* The container's own memory counters, read from inside: cgroup v1 or v2, whichever is mounted. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

static int usage_fd = -1, peak_fd = -1, stat_fd = -1, events_fd = -1;
static const char *cache_keys[3];

static int open_counter(const char *path) { return open(path, O_RDONLY | O_CLOEXEC); }

void meter_init(void) {
  usage_fd = open_counter("/sys/fs/cgroup/memory.current");
  if (usage_fd >= 0) {
    peak_fd = open_counter("/sys/fs/cgroup/memory.peak");
    stat_fd = open_counter("/sys/fs/cgroup/memory.stat");
    events_fd = open_counter("/sys/fs/cgroup/memory.events");
    cache_keys[0] = "active_file ";
    cache_keys[1] = "inactive_file ";
    return;
  }
  usage_fd = open_counter("/sys/fs/cgroup/memory/memory.usage_in_bytes");
  peak_fd = open_counter("/sys/fs/cgroup/memory/memory.max_usage_in_bytes");
  stat_fd = open_counter("/sys/fs/cgroup/memory/memory.stat");
  events_fd = open_counter("/sys/fs/cgroup/memory/memory.oom_control");
  cache_keys[0] = "total_active_file ";
  cache_keys[1] = "total_inactive_file ";
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

uint64_t meter_oom_kills(void) { return number_after(read_counter(events_fd), "oom_kill "); }

void meter_read(memory_t *out) {
  out->usage = strtoull(read_counter(usage_fd), NULL, 10);
  out->peak = strtoull(read_counter(peak_fd), NULL, 10);
  out->oom_kills = meter_oom_kills();
  out->cache = 0;
  const char *text = read_counter(stat_fd);
  for (int i = 0; cache_keys[i]; i++) out->cache += number_after(text, cache_keys[i]);
}
