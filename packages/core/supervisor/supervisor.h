/* What the supervisor's parts share. One thread, one job at a time. */
#ifndef NANOGRID_SUPERVISOR_H
#define NANOGRID_SUPERVISOR_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "decode.h"
#include "protocol.h"

#define CODE_DIR "/nanogrid/state/code"
#define SHIM_DIR "/nanogrid/state/shim"
#define INPUT_FILE "/nanogrid/state/payload.json"
#define WORK_DIR "/function"
#define OUTPUT_DIR "/output"

/* bytes.c: growing buffers, and fields as they are written */
typedef struct {
  uint8_t *data;
  size_t length, capacity;
} bytes_t;

void bytes_reserve(bytes_t *b, size_t more);
void bytes_append(bytes_t *b, const void *data, size_t length);
void bytes_clear(bytes_t *b); /* keeps at most 256 KiB */
void bytes_drop(bytes_t *b, size_t length); /* the first ones; at most all */
void field_bytes(bytes_t *b, uint8_t tag, const void *data, size_t length);
void field_u64(bytes_t *b, uint8_t tag, uint64_t value);

/* strings.c: lists of strings for a program, ended by NULL once something was added */
typedef struct {
  char **items;
  size_t count, capacity;
} strings_t;

char *string_of(slice_t text); /* a new string */
void strings_add(strings_t *list, slice_t text);
void strings_add_text(strings_t *list, const char *text);
void strings_add_fields(strings_t *list, slice_t fields, uint8_t tag); /* of a request that was checked */
void strings_inherit(strings_t *list);
void strings_free(strings_t *list);

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
extern order_t order; /* shim.c moves it on where the shim answers */
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
void shim_start(const shim_request_t *request);
void shim_run(const char *entrypoint, const char *handler, uint64_t timeout_ms, const strings_t *env, const int fds[4]);
void shim_message(void);
void shim_read_log(void);
void shim_check_alive(pid_t dead);

/* hygiene.c: nothing of a job outlives it */
void signal_job(int sig); /* every process of the job's user, in one step */
void reap_children(void);
uint64_t kill_everyone(void); /* returns how many processes resisted */
bool remove_ipc(void); /* false where something stayed */
bool wipe_everything(void);
bool clean_up(bytes_t *times); /* the same, and tells how long each part took */

/* tree.c: the pristine code and its working copy */
void put_begin(const put_request_t *request);
void put_data(const data_request_t *request);
void code_commit(void);
void code_ready(void);
bool code_populate(void);
bool wipe_directory(const char *path);

/* collect.c */
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

/* posture.c */
void posture_tell(bytes_t *hello);

/* job.c */
void job_start(const run_request_t *request);
bool job_running(void);
void job_kill(void);
void job_main_ended(int status, uint64_t cpu_us, uint64_t max_rss);
void job_reaped(pid_t pid, int status, uint64_t cpu_us, uint64_t max_rss);
int job_poll_fds(int fds[3]);
void job_read(int fd);
int64_t job_wait_us(void); /* until the next deadline; -1 for none */
void job_tick(void);
bool job_finish_if_over(void);

/* relay.c: the one service that a job may reach without a network */
void relay_open(void);
void relay_close(void);
size_t relay_poll(struct pollfd *polled); /* room for 1 + RELAY_CONNECTIONS; returns how many it took */
void relay_serve(const struct pollfd *polled, size_t used);
void relay_frame(uint8_t type, const relay_request_t *request);

/* egress.c: the bounds of a granted network */
void egress_apply(const egress_request_t *request);
int print_addresses(void);

/* harden.c */
int harden(void); /* -1 with errno */

/* install.c */
int install_into(const char *directory);

#endif
