/* The way to one service: connections that a job makes to a port of its own loopback are carried over the worker's
 * stream, and the worker answers them. So a container without any network reaches that service and nothing else.
 *
 * Open only while a job runs that was granted it. Both directions hold at most one window of bytes for each connection:
 * the worker sends no more than was acknowledged, and no more is read from the job than the worker has asked for. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor.h"

typedef struct {
  int fd;
  uint32_t id;
  size_t credit;            /* bytes that may still be sent to the worker */
  bool read_end, write_end; /* the job sends no more; the worker sends no more */
  bytes_t out;              /* from the worker, not yet taken by the job */
} connection_t;

static connection_t connections[RELAY_CONNECTIONS];
static size_t count;
static uint32_t last_id;
static int listener = -1;

static void frame(uint8_t type, uint32_t id, const void *data, size_t length) {
  static bytes_t payload;
  uint8_t head[4] = {(uint8_t)id, (uint8_t)(id >> 8), (uint8_t)(id >> 16), (uint8_t)(id >> 24)};
  bytes_clear(&payload);
  bytes_append(&payload, head, sizeof head);
  bytes_append(&payload, data, length);
  host_frame(type, payload.data, payload.length);
  host_flush(); /* somebody waits for it */
}

static void forget(size_t i) {
  close(connections[i].fd);
  free(connections[i].out.data);
  connections[i] = connections[--count];
}

void relay_open(void) {
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int yes = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(RELAY_PORT)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
      bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, RELAY_CONNECTIONS) < 0)
    host_fatal("cannot offer the service to the job: %s", strerror(errno));
}

void relay_close(void) {
  while (count) forget(count - 1);
  if (listener >= 0) close(listener);
  listener = -1;
}

size_t relay_poll(struct pollfd *polled) {
  if (listener < 0) return 0;
  size_t used = 0;
  polled[used++] = (struct pollfd){.fd = count < RELAY_CONNECTIONS ? listener : -1, .events = POLLIN};
  for (size_t i = 0; i < count; i++) {
    const connection_t *c = &connections[i];
    short events = (short)((!c->read_end && c->credit ? POLLIN : 0) | (c->out.length ? POLLOUT : 0));
    polled[used++] = (struct pollfd){.fd = events ? c->fd : -1, .events = events};
  }
  return used;
}

static void accept_one(void) {
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return; /* gone again, or nothing that another try would not meet */
  int yes = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes); /* without it only slower */
  connections[count++] = (connection_t){.fd = fd, .id = ++last_id, .credit = RELAY_WINDOW};
  frame(FRAME_RELAY_OPEN, last_id, NULL, 0);
}

/* False when the connection is over. */
static bool read_one(connection_t *c) {
  static char buffer[RELAY_WINDOW];
  ssize_t n = read(c->fd, buffer, c->credit < sizeof buffer ? c->credit : sizeof buffer);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) {
    c->read_end = true;
    frame(FRAME_RELAY_END, c->id, NULL, 0);
    return !c->write_end;
  }
  c->credit -= (size_t)n;
  frame(FRAME_RELAY_DATA, c->id, buffer, (size_t)n);
  return true;
}

/* The worker sends no more, and the job has taken all of it. False when that ends the connection. */
static bool end_one(connection_t *c) {
  (void)shutdown(c->fd, SHUT_WR); /* fails only where the job has gone */
  return !c->read_end;
}

static bool write_one(connection_t *c) {
  size_t done = 0;
  while (done < c->out.length) {
    ssize_t n = send(c->fd, c->out.data + done, c->out.length - done, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) return false;
    done += (size_t)n;
  }
  if (done == 0) return true;
  bytes_drop(&c->out, done);
  uint8_t taken[4] = {(uint8_t)done, (uint8_t)(done >> 8), (uint8_t)(done >> 16), (uint8_t)(done >> 24)};
  frame(FRAME_RELAY_CREDIT, c->id, taken, sizeof taken);
  return c->out.length || !c->write_end || end_one(c);
}

void relay_serve(const struct pollfd *polled, size_t used) {
  if (!used || listener < 0) return;
  bool newcomer = polled[0].revents != 0;
  for (size_t i = used - 1; i-- > 0;) { /* from the end: forgetting one moves the last into its place */
    short events = polled[i + 1].revents;
    connection_t *c = &connections[i];
    bool alive = true;
    if (events & POLLOUT) alive = write_one(c);
    if (alive && events & (POLLIN | POLLHUP | POLLERR) && !c->read_end && c->credit) alive = read_one(c);
    else if (alive && events & POLLERR) alive = false;
    if (alive) continue;
    frame(FRAME_RELAY_RESET, c->id, NULL, 0);
    forget(i);
  }
  if (newcomer && count < RELAY_CONNECTIONS) accept_one();
}

void relay_frame(uint8_t type, const relay_request_t *request) {
  size_t i = 0;
  while (i < count && connections[i].id != request->id) i++;
  if (i == count) return; /* it ended while the frame was on its way */
  connection_t *c = &connections[i];
  bool alive = true;
  if (type == FRAME_RELAY_DATA) {
    if (request->bytes.length > RELAY_WINDOW - c->out.length) host_fatal("more data than a connection can hold");
    bytes_append(&c->out, request->bytes.data, request->bytes.length);
    alive = write_one(c);
  } else if (type == FRAME_RELAY_END) {
    c->write_end = true;
    if (!c->out.length) alive = end_one(c);
  } else if (type == FRAME_RELAY_CREDIT) {
    if (request->credit > RELAY_WINDOW - c->credit) host_fatal("credit for what was not sent");
    c->credit += request->credit;
  } else {
    alive = false;
  }
  if (alive) return;
  if (type != FRAME_RELAY_RESET) frame(FRAME_RELAY_RESET, request->id, NULL, 0);
  forget(i);
}
