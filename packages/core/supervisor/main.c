/* nanogrid-supervisor: PID 1 of every container. Reads frames from the worker on standard input, runs one job at a time
 * as an unprivileged user, answers on standard output. Owns the loop, and where the conversation stands. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "supervisor.h"

#define LOG_DELAY_US 20000 /* how long output of a running job may wait for more */
#define FIRST_FD 10        /* a job's descriptors are below */

config_t config;
order_t order;

uint64_t now_us(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail: the clock exists and the pointer is good */
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* The libc's own asks twice that it be closed on exec. */
int open_at(int directory, const char *path, int flags, mode_t mode) {
  return (int)syscall(SYS_openat, directory, path, flags | O_CLOEXEC | O_LARGEFILE, mode);
}

void read_text(const char *path, char *text, size_t size) {
  int fd = open_at(AT_FDCWD, path, O_RDONLY, 0);
  ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
  if (fd >= 0) (void)close(fd);
  text[n > 0 ? n : 0] = 0;
}

static void configure(const configure_request_t *request) {
  config.uid = request->uid;
  for (size_t i = 0; i < request->dir_count; i++) config.dirs[config.dir_count++] = string_of(request->dirs[i]);
  if (!wipe_everything()) host_fatal("a writable place is not empty at the start");
  host_frame(FRAME_READY, NULL, 0);
}

static void handle(uint8_t type, slice_t payload) {
  request_t request;
  problem_t problem = {0};
  direct_withdraw(); /* whichever way this came is the worker's */
  if (!request_take(&order, type, payload, &request, &problem)) host_fatal("%s", problem.text);
  switch (request.type) {
    case FRAME_EGRESS: egress_apply(&request.egress); break;
    case FRAME_RELAY_DATA:
    case FRAME_RELAY_END:
    case FRAME_RELAY_RESET:
    case FRAME_RELAY_CREDIT: relay_frame(request.type, &request.relay); break;
    case FRAME_CONFIGURE: configure(&request.configure); break;
    case FRAME_PUT: put_begin(&request.put); break;
    case FRAME_DATA: put_data(&request.data); break;
    case FRAME_COMMIT:
      code_commit();
      if (!order.binding) code_ready();
      else if (spare_kind()) spare_bind();
      else shim_bind(); /* READY follows when the shim has answered */
      break;
    case FRAME_SHIM:
      if (request.shim.spare) spare_configure(&request.shim);
      else shim_start(&request.shim);
      break;
    case FRAME_RUN: job_start(&request.run); break;
    case FRAME_KILL: job_kill(); break;
    case FRAME_PING: host_frame(FRAME_READY, NULL, 0); break;
    default: host_fatal("frame %u was let through", request.type); /* others are refused before */
  }
}

static void handle_frames(void) {
  size_t at = 0, total;
  uint8_t type;
  slice_t payload;
  for (;;) {
    slice_t rest = {host_in.data ? host_in.data + at : NULL, host_in.length - at};
    frame_state_t state = frame_take(rest, &type, &payload, &total);
    if (state == FRAME_INVALID) host_fatal("malformed frame");
    if (state == FRAME_NONE) break;
    handle(type, payload);
    at += total;
  }
  bytes_drop(&host_in, at);
}

static void read_signals(int signals) {
  struct signalfd_siginfo info;
  while (read(signals, &info, sizeof info) == sizeof info) {
    /* Only the engine, outside of the namespace, may end us: its signals come from process 0. A job may signal us in the
     * moments in which we are its user; that it is SI_USER, and from 0, it cannot forge. */
    bool from_outside = info.ssi_code == SI_USER && info.ssi_pid == 0;
    if (from_outside && (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)) _exit(0);
  }
  reap_children();
}

static int start_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) return -1;
  if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) return -1;
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "install")) return install_into(argv[2]);
  if (argc == 2 && !strcmp(argv[1], "addresses")) return print_addresses();
  if (argc > 2 && !strcmp(argv[1], "meter")) return meter_print(argc - 2, argv + 2);
  int fd;
  do fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  while (fd >= 0 && fd < FIRST_FD);
  if (fd < 0) return 73; /* without them a job's descriptors could fall on each other */
  if (fd > FIRST_FD) (void)close(fd);
  umask(022);
  host_init();
  int signals = start_signals();
  if (signals < 0) return 73;
  meter_init("/sys/fs/cgroup");
  static bytes_t hello;
  field_u64(&hello, FIELD_VERSION, PROTOCOL_VERSION);
  posture_tell(&hello); /* before our own filter, which would hide that the engine's is missing */
  if (harden() < 0) host_fatal("cannot refuse system calls: %s", strerror(errno));
  direct_offer(&hello);
  host_frame(FRAME_HELLO, hello.data, hello.length);

  uint64_t pending_since = 0;
  for (;;) {
    handle_frames();
    job_tick();
    if (job_finish_if_over()) {
      order.running = false;
      continue;
    }

    runner_watch();
    int64_t wait = job_wait_us();
    if (runner.state == RUNNER_KEPT && (wait < 0 || wait > RUNNER_WATCH_US)) wait = RUNNER_WATCH_US;
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

    struct pollfd polled[12 + 1 + RELAY_CONNECTIONS + 2] = {{.fd = host_fd(), .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    int job_fds[3], job_count = job_poll_fds(job_fds);
    nfds_t count = 2;
    polled[count++] = (struct pollfd){.fd = shim_socket, .events = POLLIN}; /* a negative descriptor is passed over */
    polled[count++] = (struct pollfd){.fd = shim_log, .events = POLLIN};
    polled[count++] = (struct pollfd){.fd = runner.state == RUNNER_KEPT ? -1 : runner.control, .events = POLLIN};
    for (int i = 0; i < STREAMS; i++) /* of a spare that has no job yet */
      polled[count++] = (struct pollfd){.fd = runner.state == RUNNER_KEPT ? -1 : runner.streams[i], .events = POLLIN};
    for (int i = 0; i < job_count; i++) polled[count++] = (struct pollfd){.fd = job_fds[i], .events = POLLIN};
    nfds_t relay = count;
    count += relay_poll(polled + relay);
    nfds_t direct = count;
    polled[count++] = (struct pollfd){.fd = direct_listener(), .events = POLLIN};
    polled[count++] = (struct pollfd){.fd = host_moved() ? STDIN_FILENO : -1, .events = POLLIN};
    struct timespec timeout = {wait / 1000000, wait % 1000000 * 1000};
    if (ppoll(polled, count, wait < 0 ? NULL : &timeout, NULL) < 0 && errno != EINTR) return 74;

    if (polled[0].revents && !host_read()) return 0; /* the worker is gone: the container ends, and all in it */
    for (nfds_t i = 4 + 1 + STREAMS; i < relay; i++)
      if (polled[i].revents) job_read(polled[i].fd);
    relay_serve(polled + relay, direct - relay);
    if (polled[direct].revents) direct_accept();
    if (polled[direct + 1].revents) return 0; /* the engine's stream has ended, or says what nobody may say any more */
    if (polled[3].revents) shim_read_log();
    if (polled[2].revents) (void)shim_message();
    if (polled[4].revents && polled[4].fd == runner.control) runner_message();
    if (polled[5].revents || polled[6].revents || polled[7].revents) spare_read_log();
    if (polled[1].revents) read_signals(signals);
  }
}
