/* A process that takes its jobs over a socket of its own (its descriptor 4): a spare, or one that is kept after a job
 * for the next. Owns that process, one at most: its socket, its pipes and its standard input, which it has for life.
 *
 * NONE → BOOTING → WAITING → BINDING → WAITING → RUNNING → KEPT → RUNNING … → NONE; one that the shim forked starts at
 * RUNNING. Between two jobs a kept process is stopped, and all others of the job's user are dead: nothing runs. From its
 * first RUN on it is the user's, and nothing it says is believed: who ends a job is taken from the kernel's word for the
 * sender, and whatever is not as expected means that it is not kept. */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "supervisor.h"

#define STOP_WITHIN_US 1000000
#define ROUNDS_AT_ONCE 50 /* without a pause: a process stops within microseconds, if nothing holds it */

#define NO_RUNNER {.pid = -1, .control = -1, .input = -1, .streams = {-1, -1, -1}, .state_file = -1, .status_file = -1}

runner_t runner = NO_RUNNER;

void streams_open(int ours[STREAMS], int theirs[STREAMS]) {
  for (int i = 0; i < STREAMS; i++) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) host_fatal("pipe: %s", strerror(errno));
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) host_fatal("pipe: %s", strerror(errno));
    ours[i] = ends[0];
    theirs[i] = ends[1];
  }
}

void runner_open(int theirs[5]) {
  int sockets[2], yes = 1, size = 512 << 10;
  theirs[0] = open_at(AT_FDCWD, INPUT_FILE, O_RDONLY | O_CREAT | O_NOFOLLOW, 0644);
  if (theirs[0] < 0) host_fatal("cannot open the input: %s", strerror(errno));
  runner.input = fcntl(theirs[0], F_DUPFD_CLOEXEC, 0); /* the same offset */
  if (runner.input < 0) host_fatal("cannot open the input: %s", strerror(errno));
  streams_open(runner.streams, theirs + 1);
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0 ||
      setsockopt(sockets[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) < 0)
    host_fatal("socketpair: %s", strerror(errno));
  /* A job's environment should fit; the kernel's default is what remains where it refuses. */
  (void)setsockopt(sockets[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  runner.control = sockets[0];
  theirs[4] = sockets[1];
}

bool runner_send(const void *message, size_t length) {
  ssize_t sent;
  do sent = send(runner.control, message, length, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  return sent >= 0;
}

bool runner_begin(const bytes_t *message, int streams[STREAMS]) {
  bool stopped = runner.state == RUNNER_KEPT;
  /* What it has read of the last input it reads again from the start. */
  if (lseek(runner.input, 0, SEEK_SET) < 0) host_fatal("cannot rewind the input: %s", strerror(errno));
  if (!runner_send(message->data, message->length)) return false;
  runner.cpu_us = process_cpu_us(runner.pid);
  runner.state = RUNNER_RUNNING;
  runner.uses++;
  for (int i = 0; i < STREAMS; i++) {
    streams[i] = runner.streams[i];
    runner.streams[i] = -1;
  }
  if (stopped) kill(runner.pid, SIGCONT);
  return true;
}

static char state_in(const char *stat) {
  const char *name_end = strrchr(stat, ')'); /* the name before may hold anything */
  return name_end && name_end[1] == ' ' ? name_end[2] : 0;
}

static char state_of(const char *path) {
  char text[512];
  read_text(path, text, sizeof text);
  return state_in(text);
}

/* Of one process for as long as it is open: of one that is gone nothing can be read, whoever has its number then. */
static void read_again(int *file, const char *path, char *text, size_t size) {
  if (*file < 0) *file = open_at(AT_FDCWD, path, O_RDONLY, 0);
  ssize_t n = *file < 0 ? -1 : pread(*file, text, size - 1, 0);
  text[n > 0 ? n : 0] = 0;
}

/* Every thread of it. Of a child of ours the kernel says so itself, without a file for each thread. */
static bool is_stopped(void) {
  siginfo_t about = {0};
  if (!runner.forked && waitid(P_PID, (id_t)runner.pid, &about, WSTOPPED | WNOHANG | WNOWAIT) == 0)
    return about.si_pid == runner.pid;
  char path[96]; /* longer than any two numbers make it */
  if (nobody_but(1)) {
    char text[512];
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)runner.pid, (int)runner.pid);
    read_again(&runner.state_file, path, text, sizeof text);
    return state_in(text) == 'T';
  }
  (void)snprintf(path, sizeof path, "/proc/%d/task", (int)runner.pid);
  DIR *threads = opendir(path);
  if (!threads) return false;
  bool any = false, all = true;
  for (struct dirent *entry; all && (entry = readdir(threads));) {
    if (entry->d_name[0] == '.') continue;
    (void)snprintf(path, sizeof path, "/proc/%d/task/%.20s/stat", (int)runner.pid, entry->d_name);
    any = true;
    all = state_of(path) == 'T';
  }
  closedir(threads);
  return any && all;
}

bool runner_stop(void) {
  uint64_t deadline = now_us() + STOP_WITHIN_US;
  for (int round = 0; runner.pid > 0 && runner.state == RUNNER_RUNNING; round++) {
    bool patient = round < ROUNDS_AT_ONCE;
    if (!patient || round == 0) {
      if (nobody_but(1)) signal_runner(SIGSTOP);
      /* Who has been sent a signal starts nobody any more, so this count is the last word. */
      if (!nobody_but(1)) signal_job(SIGSTOP);
    }
    bool stopped = is_stopped();
    /* One that waits for a child of its own (vfork) stops when that is dead. */
    if (stopped || !patient) {
      runner.cpu_us = process_cpu_us(runner.pid);
      size_t others = kill_job_but(runner.pid);
      reap_children();
      /* Without having run meanwhile it cannot have started another. */
      if (stopped && !others && runner.cpu_us == process_cpu_us(runner.pid)) return runner.state == RUNNER_RUNNING;
    }
    if (now_us() > deadline) return false;
    struct timespec moment = {0, 500000};
    if (patient) (void)sched_yield();
    else (void)nanosleep(&moment, NULL); /* cut short it is only another round */
  }
  return false;
}

void runner_keep(const int streams[STREAMS]) {
  for (int i = 0; i < STREAMS; i++) runner.streams[i] = streams[i];
  runner.state = RUNNER_KEPT;
}

bool runner_silent(void) {
  char byte;
  int unread = 0;
  if (runner.control < 0) return false;
  if (recv(runner.control, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN) return false;
  return ioctl(runner.control, TIOCOUTQ, &unread) < 0 || unread == 0;
}

/* A stopped process can be woken by what it arranged itself (a timer that sends SIGCONT): its clock tells. */
bool runner_fit(void) { return runner.cpu_us == process_cpu_us(runner.pid) && is_stopped(); }

void runner_watch(void) {
  static uint64_t next_us;
  if (runner.state == RUNNER_KEPT && now_us() >= next_us) {
    next_us = now_us() + RUNNER_WATCH_US;
    if (!runner_fit()) {
      host_log("a kept process ran between two jobs");
      runner_end();
      job_restore();
    }
  }
  if (runner.state == RUNNER_NONE && spare_kind() && !job_running()) spare_start();
}

void runner_kill(void) {
  if (runner.pid > 0 && (runner.state == RUNNER_RUNNING || runner.state == RUNNER_KEPT)) kill(runner.pid, SIGKILL);
}

bool runner_alive(void) {
  return !runner.forked && runner.pid > 0 && (runner.state == RUNNER_RUNNING || runner.state == RUNNER_KEPT);
}

static void close_one(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

void runner_close(void) {
  if (runner.state == RUNNER_NONE) return;
  if (runner.forked && !runner.exited) shim_child_killed();
  close_one(&runner.control);
  close_one(&runner.input);
  for (int i = 0; i < STREAMS; i++) close_one(&runner.streams[i]);
  close_one(&runner.state_file);
  close_one(&runner.status_file);
  runner = (runner_t)NO_RUNNER;
}

void runner_end(void) {
  uint64_t survivors = kill_everyone();
  if (survivors) host_fatal("%llu processes of a job could not be killed", (unsigned long long)survivors);
  runner_close();
}

/* Who says so is the kernel's word; what else comes with a message is not taken. */
static ssize_t receive(char *text, size_t size, struct ucred *sender, bool *cut) {
  struct iovec part = {.iov_base = text, .iov_len = size - 1};
  union {
    char raw[CMSG_SPACE(sizeof(struct ucred))];
    struct cmsghdr align;
  } control;
  struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.raw, .msg_controllen = sizeof control.raw};
  ssize_t n = recvmsg(runner.control, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0) return n;
  text[n] = 0;
  *cut = (head.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  struct cmsghdr *about = CMSG_FIRSTHDR(&head);
  if (about && about->cmsg_level == SOL_SOCKET && about->cmsg_type == SCM_CREDENTIALS)
    memcpy(sender, CMSG_DATA(about), sizeof *sender);
  return n;
}

void runner_message(void) {
  char text[512];
  struct ucred sender = {0};
  bool cut = false;
  ssize_t n = receive(text, sizeof text, &sender, &cut);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  answer_t answer;
  bool known = n > 0 && !cut && answer_decode(text, &answer);
  if (runner.state != RUNNER_RUNNING) {
    if (n <= 0) spare_read_log();
    if (!known) host_fatal(n > 0 ? "unexpected message of the spare process" : "the spare process ended");
    spare_said(&answer);
    return;
  }
  /* The shim has told of its child before that could say anything. */
  while (runner.forked && runner.pid < 0 && !runner.exited && shim_message()) continue;
  bool is_end = known && answer.kind == ANSWER_END && sender.pid == runner.pid && sender.uid == config.uid;
  /* Its value comes first: an END before it is another job's, or forged. */
  if (is_end && (answer.status != 0 || job_has_value())) {
    job_ended(answer.status);
    return;
  }
  /* Somebody else of the job's user, or nonsense: nothing is listened to any more, and the process has to exit. */
  close_one(&runner.control);
}

bool runner_reaped(pid_t pid, int status, uint64_t cpu_us, uint64_t max_rss) {
  if (runner.forked || runner.state == RUNNER_NONE || pid != runner.pid) return false;
  runner.pid = -1;
  if (runner.state == RUNNER_RUNNING) {
    job_main_ended(status, cpu_us > runner.cpu_us ? cpu_us - runner.cpu_us : 0, max_rss);
  } else if (runner.state == RUNNER_KEPT) {
    runner_close();
  } else {
    spare_read_log();
    host_fatal("the spare process ended");
  }
  return true;
}

uint64_t runner_max_rss(void) {
  char path[64], text[4096];
  (void)snprintf(path, sizeof path, "/proc/%d/status", (int)runner.pid);
  read_again(&runner.status_file, path, text, sizeof text);
  const char *line = strstr(text, "\nVmHWM:");
  return line ? strtoull(line + 7, NULL, 10) * 1024 : 0;
}
