/* What the supervisor's parts share. One thread, one job at a time. */
#ifndef NANOGRID_SUPERVISOR_H
#define NANOGRID_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol.h"

#define CODE_DIR "/nanogrid/state/code"
#define SHIM_DIR "/nanogrid/state/shim"
#define INPUT_FILE "/nanogrid/state/payload.json"
#define WORK_DIR "/function"
#define OUTPUT_DIR "/output"
#define MAX_DIRS 16

/* bytes.c: growing buffers, and fields inside frames */
typedef struct {
  uint8_t *data;
  size_t length, capacity;
} bytes_t;

typedef struct {
  const uint8_t *data;
  size_t length;
} slice_t;

void bytes_reserve(bytes_t *b, size_t more);
void bytes_append(bytes_t *b, const void *data, size_t length);
void bytes_clear(bytes_t *b); /* keeps at most 256 KiB */
uint32_t load_u32(const uint8_t *p);
uint64_t load_u64(const uint8_t *p);
void field_bytes(bytes_t *b, uint8_t tag, const void *data, size_t length);
void field_u64(bytes_t *b, uint8_t tag, uint64_t value);
/* Takes the next field off `rest`; false at the end; ends the supervisor on a malformed one. */
bool field_next(slice_t *rest, uint8_t *tag, slice_t *value);
uint64_t field_number(slice_t value);
char *field_string(slice_t value); /* a new string; ends the supervisor where it holds NUL */

/* frame.c: whole frames out of a stream of bytes; pure, so that it can be fuzzed */
typedef enum { FRAME_NONE, FRAME_WHOLE, FRAME_INVALID } frame_state_t;
frame_state_t frame_take(const bytes_t *in, size_t offset, uint8_t *type, slice_t *payload, size_t *total);

/* host.c: the stream to the worker */
extern bytes_t host_in;
void host_init(void);
bool host_read(void); /* false at the end of the stream */
void host_frame(uint8_t type, const void *payload, size_t length);
void host_flush(void);
bool host_pending(void);
void host_fatal(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void host_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* main.c */
typedef struct {
  uid_t uid; /* of every process of the user's code */
  char *dirs[MAX_DIRS];
  size_t dir_count;
} config_t;
extern config_t config;
uint64_t now_us(void);

/* spawn.c */
typedef struct {
  char **argv, **envp;
  int stdin_fd, stdout_fd, stderr_fd, extra_fd; /* extra becomes descriptor 3; -1 for none */
  bool as_job;                                   /* drop to the job's user, in WORK_DIR */
} spawn_t;
pid_t spawn(const spawn_t *how, int *error);
int become_job(void);     /* for the vfork'ed child: irrevocable; -1 with errno */
void act_as_job(void);    /* file access as the job's user */
void act_as_root(void);
void be_job(void); /* real and effective user: whom we may signal, and who may signal us */
void be_root(void);

/* shim.c: the language's waiting process */
extern int shim_socket, shim_log;
extern pid_t shim_pid;
void shim_bind(void);
void shim_start(slice_t fields);
void shim_run(const char *entrypoint, const char *handler, uint64_t timeout_ms, char **env, const int fds[4]);
void shim_message(void);
void shim_read_log(void);
void shim_check_alive(pid_t dead);

/* hygiene.c: nothing of a job outlives it */
void signal_job(int sig); /* every process of the job's user, in one step */
void reap_children(void);
uint64_t kill_everyone(void); /* returns how many processes resisted */
void remove_ipc(void);
bool wipe_everything(void);
bool clean_up(bytes_t *times); /* the same, and tells how long each part took */

/* tree.c: the pristine code and its working copy */
void put_begin(slice_t fields);
bool put_active(void);
void put_data(slice_t data);
void code_commit(void);
void code_ready(void);
bool code_populate(void);
bool wipe_directory(const char *path);

/* collect.c */
typedef struct {
  uint64_t max_bytes, max_files, max_depth;
} output_caps_t;
void collect_outputs(const output_caps_t *caps);
void collect_work_file(const char *path, uint64_t max_bytes);

/* meter.c: the container's own counters */
typedef struct {
  uint64_t usage, peak, cache, oom_kills;
  uint64_t max_cache, max_held; /* most page cache since meter_begin, and most memory without it, of what was sampled */
} memory_t;
void meter_init(const char *root);
void meter_begin(memory_t *out); /* a job begins */
void meter_end(memory_t *out);   /* every process of it is dead */
void meter_read(memory_t *out);
int64_t meter_sample(void); /* looks again when it is time; returns the microseconds until the next time */
uint64_t meter_oom_kills(void);
uint64_t meter_cpu_us(void); /* of every process there was in the container, but this one and the shim; 0 where unknown */
int meter_print(int count, char **roots); /* `nanogrid-supervisor meter ROOT...`: what is read there */

/* job.c */
void job_start(slice_t fields);
bool job_running(void);
void job_kill(void);
void job_main_ended(int status, uint64_t cpu_us, uint64_t max_rss);
void job_reaped(pid_t pid, int status, uint64_t cpu_us, uint64_t max_rss);
int job_poll_fds(int fds[3]);
void job_read(int fd);
int64_t job_wait_us(void); /* until the next deadline; -1 for none */
void job_tick(void);
bool job_finish_if_over(void);

/* install.c */
int install_into(const char *directory);

#endif
