/* The pristine code, which the worker sends once, and the working copy that each job gets of it.
 *
 * The pristine code belongs to root; the working copy, and all else that is wiped, to the job's user. All of it lies on
 * size-capped tmpfs. Nothing here runs while a process of the job is alive. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor.h"

typedef struct {
  char *path;
  bool executable, folder;
} code_file_t;

static code_file_t *files;
static size_t file_count;
static int put_fd = -1;

static int make_parents(int root, const char *path) {
  char part[MAX_PATH_BYTES + 1];
  for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
    size_t length = (size_t)(slash - path);
    memcpy(part, path, length);
    part[length] = 0;
    if (mkdirat(root, part, 0755) < 0 && errno != EEXIST) return -1;
  }
  return 0;
}

static int open_directory(const char *path) { return open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0); }

static void put_end(void) {
  if (close(put_fd) < 0) host_fatal("cannot store code: %s", strerror(errno));
  put_fd = -1;
}

void put_begin(const put_request_t *request) {
  char *path = string_of(request->path);
  const char *base = request->area == AREA_CODE ? CODE_DIR : SHIM_DIR;
  if (mkdir(base, 0755) < 0 && errno != EEXIST) host_fatal("%s: %s", base, strerror(errno));
  int root = open_directory(base);
  if (root < 0 || make_parents(root, path) < 0) host_fatal("%s: %s", path, strerror(errno));
  if (request->folder) {
    if (mkdirat(root, path, 0755) < 0 && errno != EEXIST) host_fatal("%s: %s", path, strerror(errno));
  } else {
    int mode = request->executable ? 0755 : 0644;
    put_fd = openat(root, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (put_fd < 0) host_fatal("%s: %s", path, strerror(errno));
  }
  close(root);
  if (request->area == AREA_CODE) {
    code_file_t *more = realloc(files, (file_count + 1) * sizeof *files);
    if (!more) host_fatal("out of memory");
    files = more;
    files[file_count++] = (code_file_t){.path = path, .executable = request->executable, .folder = request->folder};
  } else {
    free(path);
  }
  if (put_fd >= 0 && request->size == 0) put_end();
}

void put_data(const data_request_t *request) {
  slice_t left = request->bytes;
  while (left.length) {
    ssize_t n = write(put_fd, left.data, left.length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) host_fatal("cannot store code: %s", strerror(errno));
    left.data += n;
    left.length -= (size_t)n;
  }
  if (request->last) put_end();
}

static bool copy_file(int from, int to) {
  static char buffer[128 << 10];
  for (;;) {
    ssize_t n = read(from, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) return true;
    if (n < 0) return false;
    for (ssize_t at = 0; at < n;) {
      ssize_t written = write(to, buffer + at, (size_t)(n - at));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      at += written;
    }
  }
}

bool code_populate(void) {
  if (!file_count) return true;
  static int source = -1; /* it stays where it is, and belongs to root */
  if (source < 0) source = open_directory(CODE_DIR);
  act_as_job();
  int target = open_directory(WORK_DIR);
  bool whole = source >= 0 && target >= 0;
  for (size_t i = 0; whole && i < file_count; i++) {
    const char *path = files[i].path;
    if (files[i].folder) {
      whole = make_parents(target, path) == 0 && (mkdirat(target, path, 0755) == 0 || errno == EEXIST);
      continue;
    }
    int from = open_at(source, path, O_RDONLY | O_NOFOLLOW, 0);
    whole = from >= 0 && make_parents(target, path) == 0;
    int to = whole ? open_at(target, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, files[i].executable ? 0755 : 0644)
                   : -1;
    whole = to >= 0 && copy_file(from, to);
    if (from >= 0) close(from);
    if (to >= 0 && close(to) < 0) whole = false;
  }
  int reason = errno;
  act_as_root();
  if (target >= 0) close(target);
  if (!whole) host_log("cannot lay out the code: %s", strerror(reason));
  return whole;
}

/* What the container holds with the code laid out and the shim ready is the platform's; a job's limit comes on top. */
void code_ready(void) {
  static bytes_t fields;
  memory_t now;
  meter_read(&now);
  bytes_clear(&fields);
  field_u64(&fields, FIELD_MEMORY_START, now.usage);
  field_u64(&fields, FIELD_CACHE_START, now.cache);
  host_frame(FRAME_READY, fields.data, fields.length);
}

void code_commit(void) {
  if (!code_populate()) host_fatal("the code does not fit the working directory");
}

/* The next entry but "." and ".."; NULL at the end, or with errno where the listing broke off. */
static struct dirent *next_entry(DIR *listing) {
  struct dirent *entry;
  do {
    errno = 0;
    entry = readdir(listing);
  } while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
  return entry;
}

/* Empties `directory`. A tree of any depth is flattened: folders move to the top and are emptied there, so that neither
 * the stack nor the number of open files depends on what the job left. Returns false where something stayed. */
static bool empty(int root) {
  unsigned serial = 0;
  for (bool again = true; again;) {
    again = false;
    if (lseek(root, 0, SEEK_SET) < 0) return false;
    int listing_fd = dup(root);
    DIR *listing = listing_fd < 0 ? NULL : fdopendir(listing_fd);
    if (!listing) {
      if (listing_fd >= 0) close(listing_fd);
      return false;
    }
    for (struct dirent *entry; (entry = next_entry(listing));) {
      if (unlinkat(root, entry->d_name, 0) == 0) continue;
      if (errno == ENOENT) continue;
      if (errno != EISDIR && errno != EPERM) goto failed;
      if (unlinkat(root, entry->d_name, AT_REMOVEDIR) == 0) continue;
      if (errno != ENOTEMPTY && errno != EACCES && errno != EEXIST) goto failed;
      if (fchmodat(root, entry->d_name, 0700, 0) < 0) goto failed;
      int below = openat(root, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      DIR *inside = below < 0 ? NULL : fdopendir(below);
      if (!inside) {
        if (below >= 0) close(below);
        goto failed;
      }
      bool moved = true;
      for (struct dirent *nested; moved && (nested = next_entry(inside));) {
        if (unlinkat(below, nested->d_name, 0) == 0) continue;
        if (unlinkat(below, nested->d_name, AT_REMOVEDIR) == 0) continue;
        char name[64]; /* longer than any number */
        struct stat taken;
        do (void)snprintf(name, sizeof name, ".nanogrid-wipe-%u", serial++);
        while (fstatat(root, name, &taken, AT_SYMLINK_NOFOLLOW) == 0);
        moved = fchmodat(below, nested->d_name, 0700, 0) == 0 && renameat(below, nested->d_name, root, name) == 0;
      }
      bool whole = moved && errno == 0; /* of the listing, when nothing failed */
      closedir(inside);
      if (!whole) goto failed;
      if (unlinkat(root, entry->d_name, AT_REMOVEDIR) < 0) goto failed;
      again = true;
    }
    if (errno != 0) goto failed;
    closedir(listing);
    continue;
  failed:
    closedir(listing);
    return false;
  }
  return true;
}

/* One pass over the names in a folder, without what a libc makes for it. `length` is 0 at its end, below where it broke off. */
typedef struct {
  char bytes[8192] __attribute__((aligned(8)));
  long length, at;
} listing_t;

static const char *next_name(int directory, listing_t *listing) {
  for (;;) {
    if (listing->at >= listing->length) {
      listing->length = syscall(SYS_getdents64, directory, listing->bytes, sizeof listing->bytes);
      listing->at = 0;
      if (listing->length <= 0) return NULL;
    }
    const struct directory_entry *entry = (const struct directory_entry *)(listing->bytes + listing->at);
    listing->at += entry->length;
    if (strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0) return entry->name;
  }
}

bool holds_nothing(int directory) {
  static listing_t listing;
  listing.at = listing.length = 0;
  bool nothing = !next_name(directory, &listing) && listing.length == 0;
  return nothing || (lseek(directory, 0, SEEK_SET), false);
}

/* What most jobs leave is nothing, or a few files: takes files away until a whole look finds nothing. False, and something
 * may have stayed, where that does not do. */
static bool empty_of_files(int root) {
  static listing_t listing;
  for (bool found = true; found;) {
    found = false;
    listing.at = listing.length = 0;
    for (const char *name; (name = next_name(root, &listing)); found = true)
      if (unlinkat(root, name, 0) < 0) return false;
    if (listing.length < 0 || (found && lseek(root, 0, SEEK_SET) < 0)) return false;
  }
  return true;
}

bool wipe_directory(const char *path) {
  int root = open_directory(path);
  bool clean = root >= 0 ? empty_of_files(root) || empty(root) : errno == ENOENT;
  int reason = errno;
  if (root >= 0) close(root);
  if (!clean) host_log("cannot wipe %s: %s", path, strerror(reason));
  return clean;
}

/* The same file for every job: one that is as long as the last takes a single call. */
void store_input(slice_t input) {
  static int fd = -1;
  static uint64_t stored;
  if (fd < 0) fd = open_at(AT_FDCWD, INPUT_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644);
  if (fd < 0) host_fatal("cannot store the input: %s", strerror(errno));
  uint64_t at = 0;
  while (at < input.length) {
    ssize_t n = pwrite(fd, input.data + at, input.length - at, (off_t)at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) host_fatal("cannot store the input: %s", strerror(errno));
    at += (uint64_t)n;
  }
  if (at < stored && ftruncate(fd, (off_t)at) < 0) host_fatal("cannot store the input: %s", strerror(errno));
  stored = at;
}
