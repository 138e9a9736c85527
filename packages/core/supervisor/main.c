/* nanogrid-supervisor: PID 1 of every container. Reads frames from the worker on standard input, runs one job at a time
 * as an unprivileged user, answers on standard output. Owns the loop, and the order in which frames may come. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "supervisor.h"

#define LOG_DELAY_US 20000 /* how long output of a running job may wait for more */
#define FIRST_FD 10        /* a job's descriptors are below */

config_t config;

uint64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void configure(slice_t fields) {
  if (config.uid) host_fatal("configured twice");
  uint8_t tag;
  slice_t value;
  while (field_next(&fields, &tag, &value)) {
    if (tag == FIELD_UID) config.uid = (uid_t)field_number(value);
    if (tag == FIELD_DIR) {
      if (config.dir_count == MAX_DIRS) host_fatal("too many directories");
      config.dirs[config.dir_count++] = field_string(value);
    }
  }
  if (config.uid < 1000 || config.uid > 65000) host_fatal("an unacceptable user id");
  if (!wipe_everything()) host_fatal("a writable place is not empty at the start");
  host_frame(FRAME_READY, NULL, 0);
}

static void handle(uint8_t type, slice_t payload) {
  if (type == FRAME_CONFIGURE) {
    configure(payload);
    return;
  }
  if (!config.uid) host_fatal("not configured yet");
  if (put_active() && type != FRAME_DATA) host_fatal("frame %u in the middle of a file", type);
  if (job_running() && type != FRAME_KILL) host_fatal("frame %u while a job runs", type);
  switch (type) {
    case FRAME_PUT: put_begin(payload); break;
    case FRAME_DATA: put_data(payload); break;
    case FRAME_COMMIT:
      code_commit();
      if (shim_pid > 0) shim_bind(); /* READY follows when the shim has answered */
      else code_ready();
      break;
    case FRAME_SHIM: shim_start(payload); break;
    case FRAME_RUN: job_start(payload); break;
    case FRAME_KILL: job_kill(); break;
    default: host_fatal("unknown frame %u", type);
  }
}

static void handle_frames(void) {
  size_t at = 0, total;
  uint8_t type;
  slice_t payload;
  for (;;) {
    frame_state_t state = frame_take(&host_in, at, &type, &payload, &total);
    if (state == FRAME_INVALID) host_fatal("malformed frame");
    if (state == FRAME_NONE) break;
    handle(type, payload);
    at += total;
  }
  if (at == host_in.length) {
    bytes_clear(&host_in);
  } else if (at) {
    memmove(host_in.data, host_in.data + at, host_in.length - at);
    host_in.length -= at;
  }
}

static void read_signals(int signals) {
  struct signalfd_siginfo info;
  while (read(signals, &info, sizeof info) == sizeof info)
    if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) _exit(0);
  reap_children();
}

static int start_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) return -1;
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "install")) return install_into(argv[2]);
  if (argc > 2 && !strcmp(argv[1], "meter")) return meter_print(argc - 2, argv + 2);
  int fd;
  do fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  while (fd >= 0 && fd < FIRST_FD);
  if (fd > FIRST_FD) close(fd);
  umask(022);
  host_init();
  int signals = start_signals();
  if (signals < 0) return 73;
  meter_init("/sys/fs/cgroup");
  static bytes_t hello;
  field_u64(&hello, FIELD_VERSION, PROTOCOL_VERSION);
  host_frame(FRAME_HELLO, hello.data, hello.length);

  uint64_t pending_since = 0;
  for (;;) {
    handle_frames();
    job_tick();
    if (job_finish_if_over()) continue;

    int64_t wait = job_wait_us();
    if (!host_pending()) {
      pending_since = 0;
    } else if (!job_running()) {
      host_flush();
    } else {
      uint64_t now = now_us();
      if (!pending_since) pending_since = now;
      if (now - pending_since >= LOG_DELAY_US) {
        host_flush();
        pending_since = 0;
      } else if (wait > LOG_DELAY_US) {
        wait = LOG_DELAY_US;
      }
    }

    struct pollfd polled[8] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    int job_fds[3], job_count = job_poll_fds(job_fds);
    nfds_t count = 2;
    polled[count++] = (struct pollfd){.fd = shim_socket, .events = POLLIN}; /* a negative descriptor is passed over */
    polled[count++] = (struct pollfd){.fd = shim_log, .events = POLLIN};
    for (int i = 0; i < job_count; i++) polled[count++] = (struct pollfd){.fd = job_fds[i], .events = POLLIN};
    struct timespec timeout = {wait / 1000000, wait % 1000000 * 1000};
    if (ppoll(polled, count, wait < 0 ? NULL : &timeout, NULL) < 0 && errno != EINTR) return 74;

    if (polled[0].revents && !host_read()) return 0; /* the worker is gone: the container ends, and all in it */
    for (nfds_t i = 4; i < count; i++)
      if (polled[i].revents) job_read(polled[i].fd);
    if (polled[3].revents) shim_read_log();
    if (polled[2].revents) shim_message();
    if (polled[1].revents) read_signals(signals);
  }
}
