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
#define DIRECT_PREFIX "/nanogrid/state/direct-" /* and 12 hexadecimal digits */

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
int host_fd(void);      /* where the worker's frames come */
bool host_moved(void);  /* standard input is its life line only */
void host_move(int fd); /* from here on both ways; between two frames */
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

void read_text(const char *path, char *text, size_t size); /* empty where it cannot be read */
int open_at(int directory, const char *path, int flags, mode_t mode); /* one call, closed on exec */

/* spawn.c */
typedef struct {
  char **argv, **envp;
  int stdin_fd, stdout_fd, stderr_fd, extra_fd; /* extra becomes descriptor 3; -1 for none */
  int control_fd;                                /* becomes descriptor 4, where it is above 0 */
  bool first_to_die;                             /* when memory runs out; a job always is */
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
void shim_ready(const char *version); /* the first waiting process is there */
void run_message(bytes_t *message, const run_request_t *request, bool says_keep);
void shim_run(const bytes_t *message, const int *fds, size_t count);
bool shim_message(void); /* false where there was none */
pid_t shim_child(void);  /* the process that is a job, or waits for one; -1 where the shim does not tell */
void shim_child_killed(void); /* it has run its job already: its end is no job's end */
void shim_read_log(void);
void shim_check_alive(pid_t dead);

/* keep.c: a process that takes its jobs over a socket of its own: a spare, or one that is kept after a job */
enum { STREAM_OUT, STREAM_ERR, STREAM_RESULT, STREAMS };
enum runner_state {
  RUNNER_NONE,
  RUNNER_BOOTING, /* a spare before READY */
  RUNNER_BINDING, /* a spare before BOUND */
  RUNNER_WAITING, /* a spare that can take its job */
  RUNNER_RUNNING,
  RUNNER_KEPT /* stopped until its next job */
};
#define RUNNER_WATCH_US 500000 /* how often a kept process is looked at between two jobs */
typedef struct {
  enum runner_state state;
  bool forked;         /* by the shim, which waits for it */
  bool exited;         /* the shim has told its end */
  pid_t pid;           /* -1 while it is not known */
  int control, input;  /* our end of its socket; its standard input, with the offset that it has */
  int streams[STREAMS]; /* while no job has them */
  int state_file, status_file; /* of its first thread, and of it, in /proc; opened when they are first read */
  uint64_t uses;       /* jobs it was given */
  uint64_t cpu_us;     /* its CPU time when it was given its job, or was stopped */
  uint64_t held_before; /* by the container before its first job */
} runner_t;
extern runner_t runner;
void streams_open(int ours[STREAMS], int theirs[STREAMS]);
void runner_open(int theirs[5]); /* the ends that become its descriptors 0 to 4 */
bool runner_send(const void *message, size_t length);
bool runner_begin(const bytes_t *message, int streams[STREAMS]); /* hands a job over; the caller owns the streams then */
bool runner_stop(void);          /* all of the job's user are stopped, and all but this one dead; false where it cannot be */
void runner_keep(const int streams[STREAMS]); /* it was stopped, and is to wait so */
bool runner_silent(void);        /* it has said no more than END, and taken what it was sent */
bool runner_fit(void);           /* still as it was left */
void runner_watch(void);         /* ends one that is not */
void runner_kill(void);          /* as root, by its number: it may not have become the job's user yet */
bool runner_alive(void);         /* a child of ours that was not waited for */
void runner_close(void);         /* it is dead: forgets it */
void runner_end(void);           /* kills it and all of the job's user, and forgets it */
void runner_message(void);
bool runner_reaped(pid_t pid, int status, uint64_t cpu_us, uint64_t max_rss); /* false where it is another process */
uint64_t runner_max_rss(void);

/* spare.c: processes that are started ahead, each for one job, by runtimes that cannot fork */
bool spare_kind(void);
void spare_configure(const shim_request_t *request);
void spare_start(void);
void spare_bind(void);
void spare_said(const answer_t *answer);
void spare_read_log(void);

/* hygiene.c: nothing of a job outlives it */
void signal_job(int sig); /* every process of the job's user, in one step */
void reap_children(void);
uint64_t kill_everyone(void); /* returns how many processes resisted */
bool nobody_but(size_t others); /* of the container's processes, beside us and the waiting one; false where unknown */
void signal_runner(int sig);    /* as the job's user */
size_t kill_job_but(pid_t spared); /* one round; returns how many were still there */
bool remove_ipc(void); /* false where something stayed */
bool wipe_everything(void);
bool clean_up(bytes_t *times); /* the same, and tells how long each part took */

/* What getdents64 gives. */
struct directory_entry {
  uint64_t inode;
  int64_t offset;
  unsigned short length;
  unsigned char type;
  char name[];
};

/* tree.c: the pristine code and its working copy, and the input */
void put_begin(const put_request_t *request);
void put_data(const data_request_t *request);
void code_commit(void);
void code_ready(void);
bool code_populate(void);
bool wipe_directory(const char *path); /* as the job's user */
bool holds_nothing(int directory);     /* false where that is not sure; the next look starts anew */
void store_input(slice_t input);

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
uint64_t process_cpu_us(pid_t pid); /* 0 where it cannot be known */
int64_t meter_sample(void); /* looks again when it is time; returns the microseconds until the next time */
uint64_t meter_oom_kills(void);
uint64_t meter_processes(void); /* and threads, of the container; 0 where unknown */
uint64_t meter_cpu_us(void); /* of every process there was in the container, but this one and the shim; 0 where unknown */
/* The most that the container's share of the processors gives it in so long; UINT64_MAX where it has no bounds, or unknown. */
uint64_t meter_cpu_allowed_us(uint64_t elapsed_us);
int meter_print(int count, char **roots); /* `nanogrid-supervisor meter ROOT...`: what is read there */

/* crowd.c: a job with many processes must not keep us, or a neighbour, from our turn */
void crowd_begin(uint64_t now, uint64_t cpu_us); /* a job begins; meter_cpu_us of now */
int64_t crowd_look(void);       /* looks again when it is time; returns the microseconds until the next time */
void slow_job(void);            /* its processes run when nobody else in the container wants to */

/* direct.c: a shorter way to a worker on the same host */
void direct_offer(bytes_t *hello);
int direct_listener(void); /* -1 where nothing is offered */
void direct_accept(void);
void direct_withdraw(void);

/* posture.c */
void posture_tell(bytes_t *hello);

/* job.c */
void job_start(const run_request_t *request);
bool job_running(void);
void job_begin(void);           /* the spare that it waited for is there */
void job_ended(int status);     /* the kept process says so */
bool job_has_value(void);       /* its handler has returned something */
void job_restore(void);         /* every writable place as it was, or the end */
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
