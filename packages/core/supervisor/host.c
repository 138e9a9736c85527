/* The stream to the worker: standard input and output, or the one socket of direct.c. Owns both buffers. Output waits in
 * its buffer until it is flushed, so that a short job costs one write; a worker that does not read cannot stop the job's
 * deadline. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

#define FATAL_TEXT 512
#define FLUSH_ABOVE (64u << 10)

bytes_t host_in;
static int in_fd = STDIN_FILENO, out_fd = STDOUT_FILENO;
static bytes_t out;
static size_t sent; /* of `out`; kept here, since a flush may be entered again for a last word */

static void nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) _exit(70);
}

void host_init(void) {
  nonblocking(STDIN_FILENO);
  nonblocking(STDOUT_FILENO);
}

int host_fd(void) { return in_fd; }

bool host_moved(void) { return in_fd != STDIN_FILENO; }

void host_move(int fd) {
  if (host_in.length || host_pending()) host_fatal("the worker changed its way in the middle of something");
  in_fd = out_fd = fd;
}

bool host_read(void) {
  for (;;) {
    bytes_reserve(&host_in, 128u << 10);
    ssize_t n = read(in_fd, host_in.data + host_in.length, host_in.capacity - host_in.length);
    if (n > 0) {
      host_in.length += (size_t)n;
      return true;
    }
    if (n == 0) return false;
    if (errno == EAGAIN) return true;
    if (errno != EINTR) return false;
  }
}

void host_flush(void) {
  while (sent < out.length) {
    ssize_t n = write(out_fd, out.data + sent, out.length - sent);
    if (n > 0) {
      sent += (size_t)n;
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) _exit(71); /* the worker is gone, and with it the reason to live */
    struct pollfd writable = {.fd = out_fd, .events = POLLOUT};
    int64_t wait = job_wait_us();
    int timeout = wait < 0 ? 1000 : (int)(wait / 1000) + 1;
    (void)poll(&writable, 1, timeout); /* whatever woke us: the next write tells */
    job_tick();
    if (job_running()) reap_children(); /* or the job would seem to have run until the worker read again */
  }
  sent = 0;
  bytes_clear(&out);
}

bool host_pending(void) { return out.length > 0; }

static void frame_header(uint8_t head[FRAME_HEADER], uint8_t type, size_t length) {
  memset(head, 0, FRAME_HEADER);
  head[0] = type;
  for (int i = 0; i < 4; i++) head[4 + i] = (uint8_t)(length >> (8 * i));
}

void host_frame(uint8_t type, const void *payload, size_t length) {
  uint8_t head[FRAME_HEADER];
  frame_header(head, type, length);
  bytes_reserve(&out, sizeof head + length); /* all of a frame or nothing of it */
  bytes_append(&out, head, sizeof head);
  bytes_append(&out, payload, length);
  if (out.length > FLUSH_ABOVE) host_flush();
}

/* Takes no memory: the want of it may be the reason. */
void host_fatal(const char *format, ...) {
  static bool ending;
  if (ending) _exit(72);
  ending = true;
  char text[FATAL_TEXT];
  va_list args;
  va_start(args, format);
  int length = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  size_t size = length < 0 ? 0 : (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
  static uint8_t space[FRAME_HEADER + 5 + FATAL_TEXT + 5 + 8];
  bytes_t frame = {.data = space, .length = FRAME_HEADER, .capacity = sizeof space};
  field_bytes(&frame, FIELD_MESSAGE, text, size);
  field_u64(&frame, FIELD_OOM_KILLS, meter_oom_kills());
  frame_header(space, FRAME_FATAL, frame.length - FRAME_HEADER);
  host_flush();
  out = frame; /* what is left in it is the last */
  host_flush();
  _exit(72);
}

void host_log(const char *format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof text, format, args); /* cut where it is too long */
  va_end(args);
  host_frame(FRAME_LOG, text, strlen(text));
}
