/* A shorter way to the worker than the engine's attached stream, which passes through two programs of the engine each
 * way: a socket in our own place, offered in HELLO, on which a worker on the same host may take up the conversation
 * before its first frame. Owns the socket that is offered; once the first frame comes, either way, it is gone.
 *
 * Its name is a secret of HELLO: who connects has read that, and what the worker reaches by the name is us. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "supervisor.h"

#define NAME_BITS 48 /* as many as a number of the worker's holds, and no more than can be guessed in no life */

static int listener = -1;
static struct sockaddr_un place = {.sun_family = AF_UNIX};

int direct_listener(void) { return listener; }

void direct_withdraw(void) {
  if (listener < 0) return;
  (void)close(listener);
  if (unlink(place.sun_path) < 0) host_fatal("cannot withdraw the direct way: %s", strerror(errno));
  listener = -1;
}

void direct_offer(bytes_t *hello) {
  uint64_t name;
  if (getrandom(&name, sizeof name, 0) != (ssize_t)sizeof name) return;
  name &= (UINT64_C(1) << NAME_BITS) - 1;
  (void)snprintf(place.sun_path, sizeof place.sun_path, DIRECT_PREFIX "%012llx", (unsigned long long)name);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  if (bind(fd, (struct sockaddr *)&place, sizeof place) < 0) {
    (void)close(fd);
    return;
  }
  listener = fd;
  if (chmod(place.sun_path, 0600) < 0 || listen(fd, 1) < 0) direct_withdraw();
  else field_u64(hello, FIELD_DIRECT, name);
}

void direct_accept(void) {
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return; /* whoever it was has gone */
  struct ucred peer = {.pid = -1};
  socklen_t size = sizeof peer;
  /* The kernel has no number here for a process outside of the container. */
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid != 0)
    host_fatal("somebody inside of the container wants to speak for the worker");
  direct_withdraw();
  host_move(fd);
}
