/* The language's waiting process: started once, as root, and asked to fork a job's process each time.
 * It talks over a SOCK_SEQPACKET socket (its descriptor 3); one message is one request or answer:
 *   to the shim:   "BIND" NUL once, when the code is laid out: it may look at it (never run it) and get ready for it
 *                  "RUN" NUL entrypoint NUL handler NUL remaining-ms NUL (name=value NUL)*, with four descriptors;
 *                  with five the process may be kept, and there is one more value before the first pair
 *   from the shim: "READY <version>" once; "BOUND" to BIND; "START" from each child, while it is root; then "EXIT <wait
 *                  status> <cpu µs> <peak RSS bytes>" for each
 * The shim owns no part of the protocol with the worker: it cannot reach it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor.h"

#define MAX_RUN_FDS 5

int shim_socket = -1, shim_log = -1;
pid_t shim_pid = -1;
static pid_t child = -1;
static unsigned ends_to_pass_over; /* of children that were killed after their job was over */

pid_t shim_child(void) { return child; }

void shim_child_killed(void) {
  child = -1;
  ends_to_pass_over++;
}

void shim_ready(const char *version) {
  static bytes_t fields;
  bytes_clear(&fields);
  order.shim = SHIM_READY;
  field_bytes(&fields, FIELD_VERSION, version, strlen(version));
  host_frame(FRAME_SHIM_READY, fields.data, fields.length);
}

void shim_bind(void) {
  ssize_t sent;
  do sent = send(shim_socket, "BIND", 5, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent < 0) host_fatal("cannot reach the shim: %s", strerror(errno));
}

void shim_start(const shim_request_t *request) {
  strings_t args = {0}, env = {0};
  strings_add_fields(&args, request->fields, FIELD_ARG);
  strings_add_fields(&env, request->fields, FIELD_ENV);
  strings_inherit(&env);
  char uid[40]; /* longer than any number */
  (void)snprintf(uid, sizeof uid, "NANOGRID_UID=%u", (unsigned)config.uid);
  strings_add_text(&env, uid);

  int sockets[2], log[2], yes = 1;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0 ||
      setsockopt(sockets[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) < 0)
    host_fatal("socketpair: %s", strerror(errno));
  if (pipe2(log, O_CLOEXEC | O_NONBLOCK) < 0) host_fatal("pipe: %s", strerror(errno));
  int size = 512 << 10;
  /* A job's environment should fit; the kernel's default is what remains where it refuses. */
  (void)setsockopt(sockets[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) host_fatal("/dev/null: %s", strerror(errno));
  int error;
  spawn_t how = {.argv = args.items, .envp = env.items, .stdin_fd = null, .stdout_fd = log[1], .stderr_fd = log[1],
                 .extra_fd = sockets[1], .as_job = false};
  shim_pid = spawn(&how, &error);
  if (shim_pid < 0) host_fatal("cannot start the shim %s: %s", args.items[0], strerror(error));
  close(null);
  close(sockets[1]);
  close(log[1]);
  shim_socket = sockets[0];
  shim_log = log[0];
  strings_free(&args);
  strings_free(&env);
}

static void append_string(bytes_t *message, slice_t text) {
  bytes_append(message, text.data, text.length);
  bytes_append(message, "", 1);
}

/* For a shim's process that is not kept there is no word about keeping it. */
void run_message(bytes_t *message, const run_request_t *request, bool says_keep) {
  bytes_clear(message);
  char ms[24];
  (void)snprintf(ms, sizeof ms, "%llu", (unsigned long long)request->timeout_ms);
  bytes_append(message, "RUN", 4);
  append_string(message, request->entrypoint);
  append_string(message, request->handler);
  bytes_append(message, ms, strlen(ms) + 1);
  if (says_keep) bytes_append(message, request->keep ? "1" : "0", 2);
  slice_t rest = request->fields, value;
  problem_t problem = {0};
  for (uint8_t tag; field_next(&rest, &tag, &value, &problem);)
    if (tag == FIELD_ENV) append_string(message, value);
}

void shim_run(const bytes_t *message, const int *fds, size_t count) {
  struct iovec part = {.iov_base = message->data, .iov_len = message->length};
  union {
    char raw[CMSG_SPACE(MAX_RUN_FDS * sizeof(int))];
    struct cmsghdr align;
  } control;
  memset(&control, 0, sizeof control);
  struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.raw};
  head.msg_controllen = (socklen_t)CMSG_SPACE(count * sizeof(int));
  struct cmsghdr *rights = CMSG_FIRSTHDR(&head);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = (socklen_t)CMSG_LEN(count * sizeof(int));
  memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
  ssize_t sent;
  do sent = sendmsg(shim_socket, &head, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent < 0) host_fatal("cannot reach the shim: %s", strerror(errno));
}

/* A child of the shim ended: the one that runs the job, or one that was killed after its last. */
static void child_ended(const answer_t *answer) {
  child = -1;
  if (ends_to_pass_over) {
    ends_to_pass_over--;
  } else if (runner.forked && runner.state == RUNNER_KEPT) {
    runner.exited = true;
    runner_close();
  } else if (job_running()) {
    if (runner.forked) {
      runner.exited = true;
      runner.pid = -1; /* the number may be given again */
    }
    job_main_ended(answer->status, answer->cpu_us, answer->max_rss);
  } else {
    host_fatal("unexpected message of the shim");
  }
}

bool shim_message(void) {
  char text[512];
  union {
    char raw[CMSG_SPACE(sizeof(struct ucred))];
    struct cmsghdr align;
  } control;
  struct iovec part = {.iov_base = text, .iov_len = sizeof text - 1};
  struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.raw, .msg_controllen = sizeof control.raw};
  ssize_t n = recvmsg(shim_socket, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (n <= 0) {
    shim_read_log();
    host_fatal("the shim ended");
  }
  text[n] = 0;
  struct ucred sender = {.pid = -1};
  struct cmsghdr *about = CMSG_FIRSTHDR(&head);
  if (about && about->cmsg_level == SOL_SOCKET && about->cmsg_type == SCM_CREDENTIALS)
    memcpy(&sender, CMSG_DATA(about), sizeof sender);
  answer_t answer;
  if (!answer_decode(text, &answer)) host_fatal("unexpected message of the shim");
  if (answer.kind == ANSWER_READY && order.shim != SHIM_READY) {
    shim_ready(answer.version);
  } else if (answer.kind == ANSWER_BOUND && order.binding) {
    order.binding = false;
    code_ready();
  } else if (answer.kind == ANSWER_START) {
    child = sender.pid;
    /* Once the runner has ended, this is the next spare's, which may be told before the job is put away. */
    if (runner.forked && runner.state == RUNNER_RUNNING && runner.pid < 0 && !runner.exited) runner.pid = child;
  } else if (answer.kind == ANSWER_EXIT) {
    child_ended(&answer);
  } else {
    host_fatal("unexpected message of the shim");
  }
  return true;
}

void shim_read_log(void) {
  char text[4096];
  ssize_t n = -1;
  /* Bounded: a shim that never stops talking must not keep the loop from the deadline. */
  for (int i = 0; i < 16 && (n = read(shim_log, text, sizeof text)) > 0; i++) host_frame(FRAME_LOG, text, (size_t)n);
  if (n == 0) {
    close(shim_log);
    shim_log = -1;
  }
}

void shim_check_alive(pid_t dead) {
  if (dead != shim_pid) return;
  if (shim_log >= 0) shim_read_log();
  host_fatal("the shim ended");
}
