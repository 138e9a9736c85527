/* One job, from RUN to DONE to READY. Owns the job's pipes, deadline and counters.
 *
 * States: none → running (processes alive) → over (main process ended or could not start) → none. DONE is sent when no
 * process of the job is left and its files were read; READY when every writable place is as it was before. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor.h"

/* CPU time that the waiting process and the supervisor may spend during a job without it being told as the job's. */
#define CPU_OF_PLATFORM_US 10000
/* How long a job's first output may stay in its pipes, so that one that is over by then wakes us once. */
#define QUIET_US 4000

/* A process that writes a little at a time would wake us for every line, and with us the processor that a neighbour is on:
 * a stream that gave less than a pipe holds by half rests for so long, in which its pipe hardly fills. */
#define STREAM_BUFFER (64 << 10)
#define STREAM_REST_US 2000

static const uint8_t stream_frame[STREAMS] = {FRAME_STDOUT, FRAME_STDERR, FRAME_RESULT};
static const uint8_t stream_total[STREAMS] = {FIELD_STDOUT_BYTES, FIELD_STDERR_BYTES, FIELD_RESULT_BYTES};

typedef struct {
  char *path;
  uint64_t max_bytes;
} work_file_t;

static bytes_t message; /* RUN, as the process gets it */

static struct {
  bool running, over;
  bool pending; /* for the spare, which is not ready yet: no clock runs */
  bool retried;
  bool keep, ended; /* its process is to be kept; that has said END */
  pid_t main_pid; /* -1 where the shim forked it, or it is the runner */
  int fds[STREAMS];
  uint64_t cap[STREAMS], total[STREAMS], rests_until_us[STREAMS];
  uint64_t start_us, end_us, timeout_us, deadline_us, grace_us;
  bool timed_out, killed, terminating;
  int status, spawn_error;
  uint64_t cpu_us, cpu_before_us, max_rss;
  memory_t before;
  output_caps_t output_caps;
  work_file_t work_files[MAX_WORK_FILES];
  size_t work_file_count;
} job;

static uint64_t held(const memory_t *now) { return now->usage > now->cache ? now->usage - now->cache : 0; }

/* The job's time starts. */
static void start_clock(void) {
  meter_begin(&job.before);
  job.cpu_before_us = meter_cpu_us();
  job.start_us = now_us();
  job.deadline_us = job.start_us + job.timeout_us;
  crowd_begin(job.start_us, job.cpu_before_us);
}

static void start_command(const run_request_t *request) {
  strings_t args = {0}, env = {0};
  strings_add_fields(&args, request->fields, FIELD_ARG);
  strings_add_fields(&env, request->fields, FIELD_ENV);
  strings_inherit(&env);
  int input = open(INPUT_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), ends[STREAMS];
  if (input < 0) host_fatal("cannot open the input: %s", strerror(errno));
  streams_open(job.fds, ends);
  start_clock();
  spawn_t how = {.argv = args.items, .envp = env.items, .stdin_fd = input, .stdout_fd = ends[STREAM_OUT],
                 .stderr_fd = ends[STREAM_ERR], .extra_fd = ends[STREAM_RESULT], .as_job = true};
  job.main_pid = spawn(&how, &job.spawn_error);
  if (job.main_pid < 0) {
    job.over = true;
    job.end_us = now_us();
  }
  for (int i = 0; i < STREAMS; i++) close(ends[i]);
  close(input);
  strings_free(&args);
  strings_free(&env);
}

static void start_in_shim(bool keep) {
  int theirs[5];
  size_t count = keep ? 5 : 4;
  if (keep) {
    runner_open(theirs);
    for (int i = 0; i < STREAMS; i++) {
      job.fds[i] = runner.streams[i];
      runner.streams[i] = -1;
    }
    runner.forked = true;
    runner.state = RUNNER_RUNNING;
    runner.pid = shim_child();
    runner.uses = 1;
  } else {
    theirs[0] = open_at(AT_FDCWD, INPUT_FILE, O_RDONLY | O_NOFOLLOW, 0);
    if (theirs[0] < 0) host_fatal("cannot open the input: %s", strerror(errno));
    streams_open(job.fds, theirs + 1);
  }
  start_clock();
  if (keep) runner.held_before = held(&job.before);
  shim_run(&message, theirs, count);
  for (size_t i = 0; i < count; i++) close(theirs[i]);
}

/* A spare that is ready, or a kept process. */
static bool start_in_runner(void) {
  if (runner.state == RUNNER_WAITING) spare_read_log();
  start_clock();
  if (!runner.uses) runner.held_before = held(&job.before);
  return runner_begin(&message, job.fds);
}

void job_begin(void) {
  if (!job.running || !job.pending || job.over) return;
  job.pending = false;
  if (!start_in_runner()) host_fatal("cannot reach the spare process: %s", strerror(errno));
}

void job_restore(void) {
  if (!clean_up(NULL) || !code_populate()) host_fatal("cannot clean up after a job");
}

/* Whether there is a kept process that is to be used; any other is ended. */
static bool keeper(const run_request_t *request) {
  if (runner.state != RUNNER_KEPT) return false;
  bool fit = runner_fit();
  if (fit && request->reuse && !request->fresh) return true;
  runner_end();
  if (!fit) job_restore();
  return false;
}

void job_start(const run_request_t *request) {
  memset(&job, 0, sizeof job);
  for (int i = 0; i < STREAMS; i++) job.fds[i] = -1;
  job.main_pid = -1;
  job.grace_us = request->grace_ms * 1000;
  job.timeout_us = request->timeout_ms * 1000;
  job.cap[STREAM_OUT] = request->max_stdout;
  job.cap[STREAM_ERR] = request->max_stderr;
  job.cap[STREAM_RESULT] = request->max_result;
  job.output_caps = request->output_caps;
  job.keep = request->keep;
  job.retried = request->retried;
  for (size_t i = 0; i < request->work_file_count; i++) {
    const work_file_request_t *file = &request->work_files[i];
    job.work_files[job.work_file_count++] = (work_file_t){string_of(file->path), file->max_bytes};
  }
  bool kept = keeper(request);
  if (request->relay) relay_open();
  store_input(request->input);
  job.running = true;
  if (request->arg_count) {
    start_command(request);
    return;
  }
  run_message(&message, request, spare_kind() || request->reuse);
  if (kept && start_in_runner()) return;
  if (kept) runner_end(); /* it did not take what it was sent before */
  if (!spare_kind()) {
    start_in_shim(request->reuse);
    return;
  }
  if (runner.state == RUNNER_NONE) spare_start();
  job.pending = true;
  if (runner.state == RUNNER_WAITING) job_begin();
}

bool job_running(void) { return job.running; }

/* The main process too, which may not have become the job's user yet. */
static void kill_job(void) {
  signal_job(SIGKILL);
  if (runner.state == RUNNER_RUNNING) runner_kill();
  else if (job.main_pid < 0 && shim_child() > 0) kill(shim_child(), SIGKILL);
}

/* The grace counts from when this was due, or a job that keeps us from the processor would gain its delay twice. */
static void terminate(uint64_t due_us) {
  job.terminating = true;
  slow_job();
  if (job.grace_us) signal_job(SIGTERM);
  else kill_job();
  job.deadline_us = due_us + (job.grace_us ? job.grace_us : 1000000);
}

void job_kill(void) {
  if (!job.running || job.over || job.terminating) return;
  job.killed = true;
  if (job.pending) {
    job.start_us = now_us();
    job_main_ended(SIGKILL, 0, 0);
  } else {
    terminate(now_us());
  }
}

int64_t job_wait_us(void) {
  if (!job.running || job.over || job.pending) return -1;
  int64_t sample = meter_sample(), look = job.terminating ? INT64_MAX : crowd_look();
  uint64_t now = now_us();
  int64_t left = job.deadline_us > now ? (int64_t)(job.deadline_us - now) : 0;
  int64_t quiet = (int64_t)(job.start_us + QUIET_US - now);
  if (quiet > 0 && quiet < left) left = quiet;
  if (look < sample) sample = look;
  for (int i = 0; i < STREAMS; i++)
    if (job.fds[i] >= 0 && job.rests_until_us[i] > now && (int64_t)(job.rests_until_us[i] - now) < sample)
      sample = (int64_t)(job.rests_until_us[i] - now);
  return left < sample ? left : sample;
}

void job_tick(void) {
  if (!job.running || job.over || job.pending) return;
  uint64_t now = now_us();
  if (now < job.deadline_us) return;
  if (!job.terminating) {
    job.timed_out = true;
    terminate(job.deadline_us);
  } else {
    kill_job();
    job.deadline_us = now + 1000000;
  }
}

void job_main_ended(int status, uint64_t cpu_us, uint64_t max_rss) {
  if (!job.running || job.over) return;
  job.over = true;
  job.end_us = now_us();
  job.status = status;
  job.cpu_us += cpu_us;
  if (max_rss > job.max_rss) job.max_rss = max_rss;
}

bool job_has_value(void) {
  int waiting = 0, fd = job.fds[STREAM_RESULT];
  return job.total[STREAM_RESULT] > 0 || (fd >= 0 && ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0);
}

void job_ended(int status) {
  if (!job.running || job.over) return;
  job.ended = true;
  uint64_t cpu_us = process_cpu_us(runner.pid);
  job_main_ended(status, cpu_us > runner.cpu_us ? cpu_us - runner.cpu_us : 0, runner_max_rss());
}

void job_reaped(pid_t pid, int status, uint64_t cpu_us, uint64_t max_rss) {
  if (!job.running) return;
  if (pid == job.main_pid && !job.over) {
    job_main_ended(status, cpu_us, max_rss);
    return;
  }
  job.cpu_us += cpu_us;
  if (max_rss > job.max_rss) job.max_rss = max_rss;
}

int job_poll_fds(int fds[3]) {
  int count = 0;
  uint64_t now = now_us();
  bool quiet = job.running && !job.pending && now < job.start_us + QUIET_US;
  for (int i = 0; i < STREAMS && !quiet; i++)
    if (job.running && job.fds[i] >= 0 && job.rests_until_us[i] <= now) fds[count++] = job.fds[i];
  return count;
}

/* Reads what is there, up to one buffer; false when there was nothing. What is over the cap is read and dropped, so that
 * the job is not stopped by it. */
static bool read_stream(int i) {
  static char buffer[STREAM_BUFFER];
  ssize_t n = read(job.fds[i], buffer, sizeof buffer);
  if (n < 0) return errno == EINTR;
  if (n == 0) {
    close(job.fds[i]);
    job.fds[i] = -1;
    return false;
  }
  if (n < STREAM_BUFFER / 2) job.rests_until_us[i] = now_us() + STREAM_REST_US;
  uint64_t room = job.total[i] < job.cap[i] ? job.cap[i] - job.total[i] : 0;
  uint64_t keep = (uint64_t)n < room ? (uint64_t)n : room;
  job.total[i] += (uint64_t)n;
  if (keep) host_frame(stream_frame[i], buffer, (size_t)keep);
  return true;
}

void job_read(int fd) {
  for (int i = 0; i < STREAMS; i++)
    if (job.fds[i] == fd) read_stream(i);
}

/* Of each process that somebody waited for there is an account. Of the others (children of one that ignores SIGCHLD)
 * only the container's own counter knows; there the waiting process's work between two jobs is included. */
static uint64_t cpu_used(uint64_t container_us) {
  uint64_t all = container_us > job.cpu_before_us ? container_us - job.cpu_before_us : 0;
  return all > job.cpu_us + CPU_OF_PLATFORM_US ? all : job.cpu_us;
}

/* When each step of the end was done. */
typedef struct {
  uint64_t began, killed, drained, metered, collected;
} steps_t;

/* Of processes of this job. A counter that cannot be read once must not look like 2^64 kills. */
static uint64_t oom_kills(const memory_t *after) {
  return after->oom_kills > job.before.oom_kills ? after->oom_kills - job.before.oom_kills : 0;
}

static void report(bool kept, uint64_t survivors, const steps_t *at, uint64_t cpu_us, const memory_t *after) {
  static bytes_t done;
  bytes_clear(&done);
  if (job.spawn_error) field_u64(&done, FIELD_SPAWN_ERROR, (uint64_t)job.spawn_error);
  else if (WIFSIGNALED(job.status)) field_u64(&done, FIELD_SIGNAL, (uint64_t)WTERMSIG(job.status));
  else field_u64(&done, FIELD_EXIT_CODE, (uint64_t)WEXITSTATUS(job.status));
  if (job.timed_out) field_u64(&done, FIELD_TIMED_OUT, 1);
  if (job.killed) field_u64(&done, FIELD_KILLED, 1);
  field_u64(&done, FIELD_EXEC_US, job.end_us - job.start_us);
  field_u64(&done, FIELD_HYGIENE_US, at->metered - at->began);
  field_u64(&done, FIELD_KILL_US, at->killed - at->began);
  field_u64(&done, FIELD_DRAIN_US, at->drained - at->killed);
  field_u64(&done, FIELD_METER_US, at->metered - at->drained);
  field_u64(&done, FIELD_COLLECT_US, at->collected - at->metered);
  field_u64(&done, FIELD_CPU_US, cpu_us);
  field_u64(&done, FIELD_MAX_RSS, job.max_rss);
  field_u64(&done, FIELD_OOM_KILLS, oom_kills(after));
  field_u64(&done, FIELD_SURVIVORS, survivors);
  for (int i = 0; i < STREAMS; i++) field_u64(&done, stream_total[i], job.total[i]);
  field_u64(&done, FIELD_MEMORY_START, job.before.usage);
  field_u64(&done, FIELD_MEMORY_END, after->usage);
  field_u64(&done, FIELD_MEMORY_PEAK, after->peak);
  field_u64(&done, FIELD_PEAK_START, job.before.peak);
  field_u64(&done, FIELD_CACHE_START, job.before.cache);
  field_u64(&done, FIELD_CACHE_END, after->cache);
  field_u64(&done, FIELD_CACHE_MAX, after->max_cache);
  field_u64(&done, FIELD_HELD_MAX, after->max_held);
  if (kept) field_u64(&done, FIELD_KEPT, 1);
  if (runner.state == RUNNER_RUNNING) {
    field_u64(&done, FIELD_USES, runner.uses);
    field_u64(&done, FIELD_HELD_BEFORE, runner.held_before);
  }
  host_frame(FRAME_DONE, done.data, done.length);
}

static void drain(void) {
  for (int i = 0; i < STREAMS; i++)
    while (job.fds[i] >= 0 && read_stream(i)) continue;
}

/* Everything else of the job's user is dead, and its process has left all as it should: it may wait for the next job. */
static bool may_stay(void) {
  for (int i = 0; i < STREAMS; i++)
    if (job.fds[i] < 0) return false;
  return runner_silent();
}

bool job_finish_if_over(void) {
  if (!job.running || !job.over) return false;
  steps_t at = {.began = now_us()};
  bool kept = job.ended && job.keep && !job.terminating && runner_stop();
  uint64_t survivors = kept ? 0 : kill_everyone();
  relay_close();
  at.killed = now_us();
  drain();
  if (kept && !may_stay()) {
    kept = false;
    survivors = kill_everyone();
    drain();
  }
  at.drained = now_us();
  memory_t after;
  meter_end(&after);
  uint64_t cpu_us = cpu_used(meter_cpu_us());
  at.metered = now_us();
  /* With a survivor about, its files could change while they are read. */
  if (survivors == 0) {
    if (!job.retried || !oom_kills(&after)) collect_outputs(&job.output_caps);
    for (size_t i = 0; i < job.work_file_count; i++)
      collect_work_file(job.work_files[i].path, job.work_files[i].max_bytes);
  }
  at.collected = now_us();
  report(kept, survivors, &at, cpu_us, &after);
  host_flush();
  for (size_t i = 0; i < job.work_file_count; i++) free(job.work_files[i].path);
  job.running = false;
  if (survivors) host_fatal("%llu processes of a job could not be killed", (unsigned long long)survivors);
  if (kept) {
    runner_keep(job.fds);
  } else {
    for (int i = 0; i < STREAMS; i++)
      if (job.fds[i] >= 0) close(job.fds[i]);
    if (runner.state == RUNNER_RUNNING) runner_close();
    if (runner.state == RUNNER_NONE && spare_kind()) spare_start();
  }
  static bytes_t ready;
  bytes_clear(&ready);
  bool clean = clean_up(&ready);
  if (!clean && kept) {
    /* It may hold what was to go, a segment of shared memory for one. */
    runner_end();
    bytes_clear(&ready);
    clean = clean_up(&ready);
  }
  uint64_t wiped = now_us();
  if (!clean || !code_populate()) host_fatal("cannot clean up after a job");
  field_u64(&ready, FIELD_POPULATE_US, now_us() - wiped);
  host_frame(FRAME_READY, ready.data, ready.length);
  return true;
}
