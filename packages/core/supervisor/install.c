/* `nanogrid-supervisor install DIR`: copies this program into DIR, whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor.h"

int install_into(const char *directory) {
  int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  struct stat about;
  if (dir < 0 || self < 0 || fstat(self, &about) < 0) goto failed;
  unlinkat(dir, "nanogrid-supervisor.new", 0);
  int copy = openat(dir, "nanogrid-supervisor.new", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
  if (copy < 0) goto failed;
  for (off_t left = about.st_size; left > 0;) {
    ssize_t n = sendfile(copy, self, NULL, (size_t)left);
    if (n <= 0) goto failed;
    left -= n;
  }
  if (fchmod(copy, 0755) < 0 || fsync(copy) < 0 || close(copy) < 0) goto failed;
  if (renameat(dir, "nanogrid-supervisor.new", dir, "nanogrid-supervisor") < 0) goto failed;
  return 0;
failed:
  dprintf(2, "cannot install the supervisor in %s: %s\n", directory, strerror(errno));
  return 1;
}
