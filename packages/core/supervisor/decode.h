/* What is read of the worker's bytes before anything is done about them: frames, fields, requests, their order. Pure:
 * nothing here reads, writes, allocates, ends the process or keeps state of its own, so that all of it can be fuzzed.
 * A slice is only valid while the bytes that it was cut from are. */
#ifndef NANOGRID_DECODE_H
#define NANOGRID_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol.h"

#define MAX_DIRS 16
#define MAX_WORK_FILES 16
#define MAX_PATH_BYTES 1023
#define MAX_RANGES 256
#define MAX_TIME_MS (86400000ull * 7)

typedef struct {
  const uint8_t *data;
  size_t length;
} slice_t;

/* Why a frame is refused; empty while nothing is wrong. The first reason stays. */
typedef struct {
  char text[96];
} problem_t;

bool refuse(problem_t *problem, const char *format, ...) __attribute__((format(printf, 2, 3))); /* always false */

/* frame.c: whole frames out of a stream of bytes */
typedef enum { FRAME_NONE, FRAME_WHOLE, FRAME_INVALID } frame_state_t;
frame_state_t frame_take(slice_t in, uint8_t *type, slice_t *payload, size_t *total);

/* fields.c: fields inside frames */
uint32_t load_u32(const uint8_t *p);
uint64_t load_u64(const uint8_t *p);
/* Takes the next field off `rest`; false at the end, and once there is a problem. */
bool field_next(slice_t *rest, uint8_t *tag, slice_t *value, problem_t *problem);
uint64_t field_number(slice_t value, problem_t *problem);
slice_t field_string(slice_t value, problem_t *problem); /* the value; a problem where it holds NUL */

/* requests.c: what one frame asks for */
typedef struct {
  uint32_t uid; /* of every process of the user's code */
  slice_t dirs[MAX_DIRS];
  size_t dir_count;
} configure_request_t;

typedef struct {
  uint8_t address[4]; /* as it travels */
  uint8_t prefix;
  bool allow;
} range_t;

typedef struct {
  range_t ranges[MAX_RANGES];
  size_t range_count;
} egress_request_t;

typedef struct {
  uint32_t id;
  slice_t bytes;   /* DATA: at most RELAY_WINDOW */
  uint32_t credit; /* CREDIT: at most RELAY_WINDOW */
} relay_request_t;

typedef struct {
  uint64_t area, size;
  slice_t path;
  bool executable, folder;
} put_request_t;

typedef struct {
  slice_t fields; /* the strings of ARG and ENV, which were checked, are taken from here */
  size_t arg_count, env_count;
  bool spare;
} shim_request_t;

typedef struct {
  uint64_t max_bytes, max_files, max_depth;
} output_caps_t;

typedef struct {
  slice_t path;
  uint64_t max_bytes;
} work_file_request_t;

typedef struct {
  slice_t fields; /* as above */
  size_t arg_count, env_count;
  slice_t entrypoint, handler, input;
  uint64_t timeout_ms, grace_ms, max_stdout, max_stderr, max_result;
  output_caps_t output_caps;
  work_file_request_t work_files[MAX_WORK_FILES];
  size_t work_file_count;
  bool relay;
  bool retried; /* where memory runs out it is run again */
  bool reuse, keep, fresh; /* reuse: KEEP was there, keep: and was not 0 */
} run_request_t;

typedef struct {
  slice_t bytes;
  bool last; /* the file is complete with these */
} data_request_t;

typedef struct {
  uint8_t type; /* also of a relay's frame; FRAME_COMMIT, FRAME_KILL and FRAME_PING carry nothing */
  union {
    configure_request_t configure;
    egress_request_t egress;
    relay_request_t relay;
    put_request_t put;
    data_request_t data;
    shim_request_t shim;
    run_request_t run;
  };
} request_t;

/* Reads a frame of a known type. False, with the reason, on one that asks for nothing sensible. */
bool request_decode(uint8_t type, slice_t payload, request_t *request, problem_t *problem);

/* answers.c: what the shim, a spare or a kept process says */
typedef struct {
  enum { ANSWER_READY, ANSWER_BOUND, ANSWER_START, ANSWER_EXIT, ANSWER_END } kind;
  const char *version; /* READY */
  int status;          /* EXIT and END: as wait4 gives it */
  uint64_t cpu_us, max_rss;
} answer_t;

bool answer_decode(const char *text, answer_t *out); /* false for anything else */

/* order.c: which frame may come when */
typedef struct {
  bool bounded; /* the network's bounds are set */
  bool configured, committed, binding, running;
  enum { SHIM_NONE, SHIM_STARTING, SHIM_READY } shim;
  bool putting;
  uint64_t put_left; /* bytes of the file that is being put */
} order_t;

/* Reads a frame, and moves `order` on where the frame may come now. False, with the reason, otherwise. */
bool request_take(order_t *order, uint8_t type, slice_t payload, request_t *request, problem_t *problem);

#endif
