/* One job, from RUN to DONE to READY. Owns the job's pipes, deadline and counters.
 *
 * States: none → running (processes alive) → over (main process ended or could not start) → none. DONE is sent when no
 * process of the job is left and its files were read; READY when every writable place is as it was before. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor.h"

/* CPU time that the waiting process and the supervisor may spend during a job without it being told as the job's. */
#define CPU_OF_PLATFORM_US 10000

enum { OUT, ERR, RESULT, STREAMS };

static const uint8_t stream_frame[STREAMS] = {FRAME_STDOUT, FRAME_STDERR, FRAME_RESULT};
static const uint8_t stream_total[STREAMS] = {FIELD_STDOUT_BYTES, FIELD_STDERR_BYTES, FIELD_RESULT_BYTES};

typedef struct {
  char *path;
  uint64_t max_bytes;
} work_file_t;

static struct {
  bool running, over;
  pid_t main_pid; /* -1 where the shim forked it */
  int fds[STREAMS];
  uint64_t cap[STREAMS], total[STREAMS];
  uint64_t start_us, end_us, deadline_us, grace_us;
  bool timed_out, killed, terminating;
  int status, spawn_error;
  uint64_t cpu_us, cpu_before_us, max_rss;
  memory_t before;
  output_caps_t output_caps;
  work_file_t work_files[MAX_WORK_FILES];
  size_t work_file_count;
} job;

static void store_input(slice_t input) {
  int fd = open(INPUT_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) host_fatal("cannot store the input: %s", strerror(errno));
  while (input.length) {
    ssize_t n = write(fd, input.data, input.length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) host_fatal("cannot store the input: %s", strerror(errno));
    input.data += n;
    input.length -= (size_t)n;
  }
  if (close(fd) < 0) host_fatal("cannot store the input: %s", strerror(errno));
}

void job_start(const run_request_t *request) {
  memset(&job, 0, sizeof job);
  job.grace_us = request->grace_ms * 1000;
  job.cap[OUT] = request->max_stdout;
  job.cap[ERR] = request->max_stderr;
  job.cap[RESULT] = request->max_result;
  job.output_caps = request->output_caps;
  for (size_t i = 0; i < request->work_file_count; i++) {
    const work_file_request_t *file = &request->work_files[i];
    job.work_files[job.work_file_count++] = (work_file_t){string_of(file->path), file->max_bytes};
  }
  strings_t args = {0}, env = {0};
  strings_add_fields(&args, request->fields, FIELD_ARG);
  strings_add_fields(&env, request->fields, FIELD_ENV);

  if (request->relay) relay_open();
  store_input(request->input);
  int input_fd = open(INPUT_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (input_fd < 0) host_fatal("cannot open the input: %s", strerror(errno));
  int ends[STREAMS];
  for (int i = 0; i < STREAMS; i++) {
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0) host_fatal("pipe: %s", strerror(errno));
    if (fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK) < 0) host_fatal("pipe: %s", strerror(errno));
    job.fds[i] = pipe_fds[0];
    ends[i] = pipe_fds[1];
  }
  meter_begin(&job.before);
  job.cpu_before_us = meter_cpu_us();
  job.running = true;
  job.main_pid = -1;
  job.start_us = now_us();
  job.deadline_us = job.start_us + request->timeout_ms * 1000;
  if (args.count) {
    strings_inherit(&env);
    spawn_t how = {.argv = args.items, .envp = env.items, .stdin_fd = input_fd, .stdout_fd = ends[OUT],
                   .stderr_fd = ends[ERR], .extra_fd = ends[RESULT], .as_job = true};
    job.main_pid = spawn(&how, &job.spawn_error);
    if (job.main_pid < 0) {
      job.over = true;
      job.end_us = now_us();
    }
  } else {
    int fds[4] = {input_fd, ends[OUT], ends[ERR], ends[RESULT]};
    char *entrypoint = string_of(request->entrypoint), *handler = string_of(request->handler);
    shim_run(entrypoint, handler, request->timeout_ms, &env, fds);
    free(entrypoint);
    free(handler);
  }
  for (int i = 0; i < STREAMS; i++) close(ends[i]);
  close(input_fd);
  strings_free(&args);
  strings_free(&env);
}

bool job_running(void) { return job.running; }

static void terminate(uint64_t now) {
  job.terminating = true;
  signal_job(job.grace_us ? SIGTERM : SIGKILL);
  job.deadline_us = now + (job.grace_us ? job.grace_us : 1000000);
}

void job_kill(void) {
  if (!job.running || job.over || job.terminating) return;
  job.killed = true;
  terminate(now_us());
}

int64_t job_wait_us(void) {
  if (!job.running || job.over) return -1;
  int64_t sample = meter_sample();
  uint64_t now = now_us();
  int64_t left = job.deadline_us > now ? (int64_t)(job.deadline_us - now) : 0;
  return left < sample ? left : sample;
}

void job_tick(void) {
  if (!job.running || job.over) return;
  uint64_t now = now_us();
  if (now < job.deadline_us) return;
  if (!job.terminating) {
    job.timed_out = true;
    terminate(now);
  } else {
    signal_job(SIGKILL);
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
  for (int i = 0; i < STREAMS; i++)
    if (job.running && job.fds[i] >= 0) fds[count++] = job.fds[i];
  return count;
}

/* Reads what is there, up to one buffer; false when there was nothing. What is over the cap is read and dropped, so that
 * the job is not stopped by it. */
static bool read_stream(int i) {
  static char buffer[64 << 10];
  ssize_t n = read(job.fds[i], buffer, sizeof buffer);
  if (n < 0) return errno == EINTR;
  if (n == 0) {
    close(job.fds[i]);
    job.fds[i] = -1;
    return false;
  }
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

static void report(uint64_t survivors, const steps_t *at, uint64_t cpu_us, const memory_t *after) {
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
  /* A counter that cannot be read once must not look like 2^64 kills. */
  uint64_t kills = after->oom_kills > job.before.oom_kills ? after->oom_kills - job.before.oom_kills : 0;
  field_u64(&done, FIELD_OOM_KILLS, kills);
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
  host_frame(FRAME_DONE, done.data, done.length);
}

bool job_finish_if_over(void) {
  if (!job.running || !job.over) return false;
  steps_t at = {.began = now_us()};
  uint64_t survivors = kill_everyone();
  relay_close();
  at.killed = now_us();
  for (int i = 0; i < STREAMS; i++) {
    while (job.fds[i] >= 0 && read_stream(i)) continue;
    if (job.fds[i] >= 0) close(job.fds[i]);
  }
  at.drained = now_us();
  memory_t after;
  meter_end(&after);
  uint64_t cpu_us = cpu_used(meter_cpu_us());
  at.metered = now_us();
  /* With a survivor about, its files could change while they are read. */
  if (survivors == 0) {
    collect_outputs(&job.output_caps);
    for (size_t i = 0; i < job.work_file_count; i++)
      collect_work_file(job.work_files[i].path, job.work_files[i].max_bytes);
  }
  at.collected = now_us();
  report(survivors, &at, cpu_us, &after);
  host_flush();
  for (size_t i = 0; i < job.work_file_count; i++) free(job.work_files[i].path);
  job.running = false;
  if (survivors) host_fatal("%llu processes of a job could not be killed", (unsigned long long)survivors);
  static bytes_t ready;
  bytes_clear(&ready);
  bool clean = clean_up(&ready);
  uint64_t wiped = now_us();
  if (!clean || !code_populate()) host_fatal("cannot clean up after a job");
  field_u64(&ready, FIELD_POPULATE_US, now_us() - wiped);
  host_frame(FRAME_READY, ready.data, ready.length);
  return true;
}
