/* The stream to the worker: standard input and output. Owns both buffers. Output waits in its buffer until it is
 * flushed, so that a short job costs one write; a worker that does not read cannot stop the job's deadline. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

#define FLUSH_ABOVE (64u << 10)

bytes_t host_in;
static bytes_t out;

static void nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) _exit(70);
}

void host_init(void) {
  nonblocking(STDIN_FILENO);
  nonblocking(STDOUT_FILENO);
}

bool host_read(void) {
  for (;;) {
    bytes_reserve(&host_in, 128u << 10);
    ssize_t n = read(STDIN_FILENO, host_in.data + host_in.length, host_in.capacity - host_in.length);
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
  size_t done = 0;
  while (done < out.length) {
    ssize_t n = write(STDOUT_FILENO, out.data + done, out.length - done);
    if (n > 0) {
      done += (size_t)n;
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) _exit(71); /* the worker is gone, and with it the reason to live */
    struct pollfd writable = {.fd = STDOUT_FILENO, .events = POLLOUT};
    int64_t wait = job_wait_us();
    int timeout = wait < 0 ? 1000 : (int)(wait / 1000) + 1;
    poll(&writable, 1, timeout);
    job_tick();
  }
  bytes_clear(&out);
}

bool host_pending(void) { return out.length > 0; }

void host_frame(uint8_t type, const void *payload, size_t length) {
  uint8_t head[FRAME_HEADER] = {
      type, 0, 0, 0, (uint8_t)length, (uint8_t)(length >> 8), (uint8_t)(length >> 16), (uint8_t)(length >> 24)};
  bytes_append(&out, head, sizeof head);
  bytes_append(&out, payload, length);
  if (out.length > FLUSH_ABOVE) host_flush();
}

void host_fatal(const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  static bytes_t fields;
  field_bytes(&fields, FIELD_MESSAGE, text, strlen(text));
  field_u64(&fields, FIELD_OOM_KILLS, meter_oom_kills());
  host_frame(FRAME_FATAL, fields.data, fields.length);
  host_flush();
  _exit(72);
}

void host_log(const char *format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  host_frame(FRAME_LOG, text, strlen(text));
}
