/* Fuzzes the way of the worker's bytes through the supervisor: a stream cut anywhere, frames, fields, requests, their
 * order, and the strings that are made of them. The files under test are the supervisor's own, unchanged.
 *
 * An input is two bytes of control (how the stream is cut, when the container's own events come) and the stream. Beside
 * the sanitizers, what must be true of every request that is let through is checked here; a breach traps. */
#include <sanitizer/asan_interface.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor.h"

#define MUST(condition)                                                  \
  do {                                                                   \
    if (!(condition)) {                                                  \
      fprintf(stderr, "broken at line %d: %s\n", __LINE__, #condition);  \
      abort();                                                           \
    }                                                                    \
  } while (0)

/* What reading must never do. */
void host_fatal(const char *format, ...) {
  va_list args;
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  abort();
}

static volatile unsigned touched;

static void inside(slice_t part, slice_t payload) {
  if (!part.length) return;
  MUST(part.data >= payload.data && part.length <= payload.length);
  MUST((size_t)(part.data - payload.data) <= payload.length - part.length);
  for (size_t i = 0; i < part.length; i++) touched += part.data[i];
}

static void is_string(slice_t part, slice_t payload) {
  inside(part, payload);
  char *copy = string_of(part);
  MUST(strlen(copy) == part.length);
  free(copy);
}

static void check_strings(slice_t fields, uint8_t tag, size_t count) {
  strings_t list = {0};
  strings_add_fields(&list, fields, tag);
  MUST(list.count == count);
  MUST(count == 0 || list.items[count] == NULL);
  strings_free(&list);
}

static void check_path(slice_t part) {
  char *path = string_of(part), *rest = path;
  MUST(part.length > 0 && part.length <= MAX_PATH_BYTES);
  for (char *name; (name = strsep(&rest, "/"));) MUST(*name && strcmp(name, ".") && strcmp(name, ".."));
  free(path);
}

static void check(const request_t *request, slice_t payload, const order_t *order, uint64_t left_before) {
  switch (request->type) {
    case FRAME_CONFIGURE:
      MUST(request->configure.uid >= 1000 && request->configure.uid <= 65000);
      MUST(request->configure.dir_count <= MAX_DIRS);
      for (size_t i = 0; i < request->configure.dir_count; i++) is_string(request->configure.dirs[i], payload);
      break;
    case FRAME_PUT:
      is_string(request->put.path, payload);
      check_path(request->put.path);
      MUST(request->put.area == AREA_SHIM || (request->put.area == AREA_CODE && !order->committed));
      MUST(!request->put.folder || !request->put.size);
      MUST(order->putting == (request->put.size > 0));
      break;
    case FRAME_DATA:
      inside(request->data.bytes, payload);
      MUST(request->data.bytes.length <= left_before);
      MUST(request->data.last == (request->data.bytes.length == left_before));
      break;
    case FRAME_SHIM:
      MUST(request->shim.arg_count > 0);
      check_strings(request->shim.fields, FIELD_ARG, request->shim.arg_count);
      check_strings(request->shim.fields, FIELD_ENV, request->shim.env_count);
      break;
    case FRAME_RUN: {
      const run_request_t *run = &request->run;
      is_string(run->entrypoint, payload);
      is_string(run->handler, payload);
      inside(run->input, payload);
      MUST(run->timeout_ms > 0 && run->timeout_ms <= MAX_TIME_MS && run->grace_ms <= MAX_TIME_MS);
      MUST(run->output_caps.max_depth <= 128 && run->work_file_count <= MAX_WORK_FILES);
      for (size_t i = 0; i < run->work_file_count; i++) is_string(run->work_files[i].path, payload);
      check_strings(run->fields, FIELD_ARG, run->arg_count);
      check_strings(run->fields, FIELD_ENV, run->env_count);
      MUST(order->committed && !order->binding && (run->arg_count || order->shim == SHIM_READY));
      MUST(!run->reuse || (!run->arg_count && run->handler.length));
      MUST(!run->keep || run->reuse);
      break;
    }
    case FRAME_COMMIT: MUST(order->shim != SHIM_STARTING); break;
    case FRAME_PING: MUST(order->committed && !order->binding && !order->running); break;
    case FRAME_KILL: break;
    case FRAME_EGRESS:
      MUST(!order->configured && order->bounded && request->egress.range_count <= MAX_RANGES);
      for (size_t i = 0; i < request->egress.range_count; i++) MUST(request->egress.ranges[i].prefix <= 32);
      return;
    case FRAME_RELAY_DATA:
    case FRAME_RELAY_END:
    case FRAME_RELAY_RESET:
    case FRAME_RELAY_CREDIT:
      inside(request->relay.bytes, payload);
      MUST(request->relay.bytes.length <= RELAY_WINDOW && request->relay.credit <= RELAY_WINDOW);
      break;
    default: MUST(!"a frame of no known type is let through");
  }
  MUST(order->configured);
}

/* What the rest of the supervisor tells the order, at moments that `when` decides. */
static void container_events(order_t *order, unsigned when) {
  if (order->shim == SHIM_STARTING && !(when & 1)) order->shim = SHIM_READY;
  if (order->binding && !(when & 2)) order->binding = false;
  if (order->running && !(when & 4)) order->running = false;
}

/* The supervisor's own loop over its buffer, with the bytes behind the end out of bounds. False once it would end. */
static bool take_frames(bytes_t *in, order_t *order, unsigned when) {
  size_t at = 0, total;
  uint8_t type;
  slice_t payload;
  bool alive = true;
  ASAN_POISON_MEMORY_REGION(in->data + in->length, in->capacity - in->length);
  while (alive) {
    slice_t rest = {in->data + at, in->length - at};
    frame_state_t state = frame_take(rest, &type, &payload, &total);
    if (state == FRAME_NONE) break;
    if (state == FRAME_INVALID) {
      alive = false;
      break;
    }
    request_t request;
    problem_t problem = {0};
    uint64_t left_before = order->put_left;
    if (request_take(order, type, payload, &request, &problem)) {
      MUST(!problem.text[0] && total == payload.length + FRAME_HEADER);
      check(&request, payload, order, left_before);
    } else {
      MUST(problem.text[0] && memchr(problem.text, 0, sizeof problem.text));
      alive = false;
    }
    container_events(order, when);
    at += total;
  }
  ASAN_UNPOISON_MEMORY_REGION(in->data + in->length, in->capacity - in->length);
  if (alive) bytes_drop(in, at);
  return alive;
}

/* What the shim and a kept process say is read the same way: one message, ended by NUL. */
static void take_answer(const uint8_t *data, size_t size) {
  char *text = string_of((slice_t){data, size});
  answer_t answer;
  if (answer_decode(text, &answer)) {
    MUST(answer.kind == ANSWER_READY || answer.kind == ANSWER_BOUND || answer.kind == ANSWER_START ||
         answer.kind == ANSWER_EXIT || answer.kind == ANSWER_END);
    MUST(answer.kind != ANSWER_END || (answer.status & ~0xff00) == 0);
    MUST(answer.kind != ANSWER_READY || (answer.version >= text && answer.version <= text + strlen(text)));
    MUST(answer.kind != ANSWER_EXIT || (answer.status >= 0 && answer.status <= 0xffff));
  }
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  unsigned cut = data[0], when = data[1];
  take_answer(data + 2, size - 2);
  bytes_t in = {0};
  order_t order = {0};
  bool alive = true;
  for (size_t at = 2; at < size;) {
    /* 0: all at once; else pieces of 1 to 255 bytes, of changing length. */
    size_t piece = cut == 0 ? size - at : 1 + (cut * (at + 7)) % 255;
    if (piece > size - at) piece = size - at;
    bytes_append(&in, data + at, piece);
    at += piece;
    if (!(alive = take_frames(&in, &order, when))) break;
    when = (when << 1 | when >> 7) & 255;
  }
  /* What a real worker sends must be taken to its end, or fuzzing starts from nothing. */
  if (getenv("ALL_TAKEN")) MUST(alive && in.length == 0);
  free(in.data);
  return 0;
}
