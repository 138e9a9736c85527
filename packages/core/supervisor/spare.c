/* Spare processes: where a language cannot fork, the runtime's command is started ahead, once for each job. It gets
 * ready, says so, waits for its one RUN (docs/supervisor-protocol.md), drops to the job's user and runs it. Owns the
 * command; the process itself is keep.c's `runner`.
 *
 * A spare is trusted until it has been given a job: one that ends or breaks the protocol before ends the container. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

static strings_t args, env;

bool spare_kind(void) { return args.count > 0; }

void spare_configure(const shim_request_t *request) {
  strings_add_fields(&args, request->fields, FIELD_ARG);
  strings_add_fields(&env, request->fields, FIELD_ENV);
  strings_inherit(&env);
  char uid[40]; /* longer than any number */
  (void)snprintf(uid, sizeof uid, "NANOGRID_UID=%u", (unsigned)config.uid);
  strings_add_text(&env, uid);
  spare_start();
}

void spare_start(void) {
  int theirs[5], error;
  runner_open(theirs);
  spawn_t how = {.argv = args.items, .envp = env.items, .stdin_fd = theirs[0], .stdout_fd = theirs[1],
                 .stderr_fd = theirs[2], .extra_fd = theirs[3], .control_fd = theirs[4], .first_to_die = true};
  runner.pid = spawn(&how, &error);
  if (runner.pid < 0) host_fatal("cannot start the spare process %s: %s", args.items[0], strerror(error));
  runner.state = RUNNER_BOOTING;
  for (int i = 0; i < 5; i++) close(theirs[i]);
}

/* The code lies where it will stay. Before that a spare has nothing to get ready for, and cannot be given a job. */
void spare_bind(void) {
  if (runner.state != RUNNER_WAITING) host_fatal("a spare process is not ready for the code");
  if (!runner_send("BIND", 5)) host_fatal("cannot reach the spare process: %s", strerror(errno));
  runner.state = RUNNER_BINDING;
}

void spare_said(const answer_t *answer) {
  if (answer->kind == ANSWER_READY && runner.state == RUNNER_BOOTING) {
    runner.state = RUNNER_WAITING;
    if (order.shim == SHIM_STARTING) shim_ready(answer->version);
    if (order.committed) spare_bind();
  } else if (answer->kind == ANSWER_BOUND && runner.state == RUNNER_BINDING) {
    runner.state = RUNNER_WAITING;
    if (order.binding) {
      order.binding = false;
      code_ready();
    } else {
      job_begin();
    }
  } else {
    host_fatal("unexpected message of the spare process");
  }
}

/* What it writes before it has a job is no job's output. */
void spare_read_log(void) {
  char text[4096];
  for (int i = 0; i < STREAMS; i++) {
    ssize_t n = -1;
    for (int piece = 0; piece < 16 && (n = read(runner.streams[i], text, sizeof text)) > 0; piece++)
      host_frame(FRAME_LOG, text, (size_t)n);
    if (n == 0) host_fatal("the spare process closed what it writes to, or ended");
  }
}
