/* What this process sees of its own confinement, told in HELLO, before anything of a job is here: the worker refuses a
 * container that is not as it was asked for. What cannot be read is left out, which counts as missing. Owns no state. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "supervisor.h"

#define READ_ALL 3 /* syslog(2): the kernel's whole log */

static const char *text_of(const char *path) {
  static char text[8192];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  if (n <= 0) return NULL;
  text[n] = 0;
  return text;
}

static void tell_status(bytes_t *hello, const char *status, const char *key, int base, uint8_t field) {
  size_t length = strlen(key);
  for (const char *line = status; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
    if (!strncmp(line, key, length)) {
      field_u64(hello, field, strtoull(line + length, NULL, base));
      return;
    }
}

/* gVisor's kernel opens its log with its name; Linux keeps its log from us. */
static bool kernel_of_its_own(void) {
  static char log[8192];
  return klogctl(READ_ALL, log, sizeof log - 1) > 0 && strstr(log, "] Starting gVisor...");
}

/* A limit in a control file; false where there is no such file. */
static bool read_limit(const char *group, const char *file, uint64_t *limit) {
  char path[4096];
  if ((size_t)snprintf(path, sizeof path, "/sys/fs/cgroup%s/%s", group, file) >= sizeof path) return false;
  const char *text = text_of(path);
  if (!text) return false;
  *limit = strncmp(text, "max", 3) ? strtoull(text, NULL, 10) : UINT64_MAX;
  return true;
}

/* The container's own limit: cgroup version 2, with and without a namespace of its own, then version 1. */
static bool find_limit(const char *v2, const char *v1, uint64_t *limit) {
  if (read_limit("", v2, limit)) return true;
  const char *groups = text_of("/proc/self/cgroup");
  if (groups && !strncmp(groups, "0::/", 4)) {
    char group[2048];
    snprintf(group, sizeof group, "%.*s", (int)strcspn(groups + 3, "\n"), groups + 3);
    if (read_limit(group, v2, limit)) return true;
  }
  return read_limit("", v1, limit);
}

void posture_tell(bytes_t *hello) {
  bool own_kernel = kernel_of_its_own();
  if (own_kernel) field_u64(hello, FIELD_OWN_KERNEL, 1);
  const char *status = text_of("/proc/self/status");
  if (status) {
    tell_status(hello, status, "NoNewPrivs:", 10, FIELD_NO_NEW_PRIVS);
    tell_status(hello, status, "Seccomp:", 10, FIELD_SECCOMP);
    tell_status(hello, status, "CapEff:", 16, FIELD_CAP_EFFECTIVE);
    tell_status(hello, status, "CapBnd:", 16, FIELD_CAP_BOUNDING);
  }
  struct statvfs root;
  bool read_only = (statvfs("/", &root) == 0 && root.f_flag & ST_RDONLY) || (access("/", W_OK) < 0 && errno == EROFS);
  field_u64(hello, FIELD_READ_ONLY_ROOT, read_only);
  uint64_t limit;
  struct sysinfo memory;
  if (find_limit("memory.max", "memory/memory.limit_in_bytes", &limit)) field_u64(hello, FIELD_MEMORY_LIMIT, limit);
  else if (own_kernel && sysinfo(&memory) == 0)
    field_u64(hello, FIELD_MEMORY_LIMIT, (uint64_t)memory.totalram * memory.mem_unit);
  if (find_limit("pids.max", "pids/pids.max", &limit)) field_u64(hello, FIELD_PIDS_LIMIT, limit);
}
