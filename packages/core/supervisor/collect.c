/* What a job left: the files in /output, and files of its working directory that were asked for.
 *
 * Runs once every process of the job is dead, as the job's user, so nothing can change underneath and nothing is
 * readable that the job could not read itself. No link is followed in any component; only regular files are sent. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor.h"

/* Entries that are not sent are named up to this number, and counted from there on: each may have a path of 4 KiB. */
#define MAX_NAMED_SKIPS 256

typedef struct {
  const output_caps_t *caps;
  uint64_t bytes, files, skips;
  bool full;            /* the number of files is reached: said once, nothing more is looked at */
  bool unnamed_over_limit; /* a cap was the reason for one of those that are only counted */
} walk_t;

static bytes_t fields;

static void tell_skipped(const char *path, const char *reason, bool over_limit) {
  bytes_clear(&fields);
  field_bytes(&fields, FIELD_PATH, path, strlen(path));
  field_bytes(&fields, FIELD_MESSAGE, reason, strlen(reason));
  field_u64(&fields, FIELD_OVER_LIMIT, over_limit);
  host_frame(FRAME_SKIPPED, fields.data, fields.length);
}

static void skip(walk_t *walk, const char *path, const char *reason, bool over_limit) {
  if (walk->skips++ < MAX_NAMED_SKIPS) tell_skipped(path, reason, over_limit);
  else walk->unnamed_over_limit |= over_limit;
}

static void skipped(walk_t *walk, const char *path, const char *reason) { skip(walk, path, reason, false); }

static int open_regular(int directory, const char *name) {
  int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  int fd = open_at(directory, name, flags, 0);
  if (fd < 0 && errno == EACCES && fchmodat(directory, name, 0600, 0) == 0) fd = openat(directory, name, flags);
  return fd;
}

static void send_file(int fd, uint64_t area, const char *path, uint64_t size, bool executable) {
  static char buffer[64 << 10];
  bytes_clear(&fields);
  field_u64(&fields, FIELD_AREA, area);
  field_bytes(&fields, FIELD_PATH, path, strlen(path));
  field_u64(&fields, FIELD_SIZE, size);
  if (executable) field_u64(&fields, FIELD_EXECUTABLE, 1);
  host_frame(FRAME_FILE, fields.data, fields.length);
  while (size > 0) {
    ssize_t n = read(fd, buffer, size < sizeof buffer ? (size_t)size : sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) host_fatal("an output file changed while it was read");
    host_frame(FRAME_FILE_DATA, buffer, (size_t)n);
    size -= (uint64_t)n;
  }
}

static void collect_file(walk_t *walk, int directory, const char *name, const char *path) {
  char reason[96];
  struct stat about;
  if (walk->files >= walk->caps->max_files) {
    snprintf(reason, sizeof reason, "more than %llu files", (unsigned long long)walk->caps->max_files);
    skip(walk, path, reason, true);
    walk->full = true;
    return;
  }
  int fd = open_regular(directory, name);
  if (fd < 0) {
    skipped(walk, path, strerror(errno));
    return;
  }
  if (fstat(fd, &about) < 0 || !S_ISREG(about.st_mode)) {
    skipped(walk, path, "not a regular file");
  } else if ((uint64_t)about.st_size > walk->caps->max_bytes - walk->bytes) {
    snprintf(reason, sizeof reason, "outputs larger than %llu bytes", (unsigned long long)walk->caps->max_bytes);
    skip(walk, path, reason, true);
  } else {
    walk->files++;
    walk->bytes += (uint64_t)about.st_size;
    send_file(fd, AREA_OUTPUT, path, (uint64_t)about.st_size, (about.st_mode & 0100) != 0);
  }
  close(fd);
}

static void collect_directory(walk_t *walk, int fd, const char *prefix, uint64_t depth) {
  DIR *listing = fdopendir(fd);
  if (!listing) {
    close(fd);
    skipped(walk, prefix, strerror(errno));
    return;
  }
  for (struct dirent *entry; !walk->full && (entry = readdir(listing));) {
    const char *name = entry->d_name;
    if (!strcmp(name, ".") || !strcmp(name, "..")) continue;
    size_t length = strlen(prefix) + strlen(name) + 2;
    char *path = malloc(length);
    if (!path) host_fatal("out of memory");
    snprintf(path, length, "%s%s%s", prefix, *prefix ? "/" : "", name);
    struct stat about;
    if (fstatat(fd, name, &about, AT_SYMLINK_NOFOLLOW) < 0) {
      skipped(walk, path, strerror(errno));
    } else if (S_ISREG(about.st_mode)) {
      collect_file(walk, fd, name, path);
    } else if (!S_ISDIR(about.st_mode)) {
      skipped(walk, path, S_ISLNK(about.st_mode) ? "a symbolic link" : "not a regular file");
    } else if (depth >= walk->caps->max_depth) {
      skip(walk, path, "folders too deep", true);
    } else {
      /* Where the mode cannot be changed, opening says so. */
      if ((about.st_mode & 0500) != 0500 && fchmodat(fd, name, 0700, 0) < 0) errno = 0;
      int below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (below < 0) skipped(walk, path, strerror(errno));
      else collect_directory(walk, below, path, depth + 1);
    }
    free(path);
  }
  closedir(listing);
}

void collect_outputs(const output_caps_t *caps) {
  walk_t walk = {.caps = caps};
  act_as_job();
  int fd = open_at(AT_FDCWD, OUTPUT_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  if (fd < 0) skipped(&walk, "", strerror(errno));
  else if (holds_nothing(fd)) close(fd);
  else collect_directory(&walk, fd, "", 0);
  if (walk.skips > MAX_NAMED_SKIPS) {
    char reason[96];
    snprintf(reason, sizeof reason, "%llu more are not named", (unsigned long long)(walk.skips - MAX_NAMED_SKIPS));
    tell_skipped("", reason, walk.unnamed_over_limit);
  }
  act_as_root();
}

void collect_work_file(const char *path, uint64_t max_bytes) {
  act_as_job();
  int at = open(WORK_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  char *parts = strdup(path), *rest = parts;
  for (char *name; at >= 0 && rest && (name = strsep(&rest, "/"));) {
    int next = -1;
    if (*name && strcmp(name, ".") && strcmp(name, ".."))
      next = rest ? openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : open_regular(at, name);
    close(at);
    at = next;
  }
  free(parts);
  struct stat about;
  if (at >= 0) {
    if (fstat(at, &about) == 0 && S_ISREG(about.st_mode))
      send_file(at, AREA_WORK, path, (uint64_t)about.st_size < max_bytes ? (uint64_t)about.st_size : max_bytes, false);
    close(at);
  }
  act_as_root();
}
