/* What one frame of the worker asks for. Pure: frames in, plain structs or a reason out. */
#include "decode.h"

static bool fine(const problem_t *problem) { return !problem->text[0]; }

static bool decode_configure(slice_t fields, configure_request_t *out, problem_t *problem) {
  uint64_t uid = 0;
  uint8_t tag;
  slice_t value;
  while (field_next(&fields, &tag, &value, problem)) {
    if (tag == FIELD_UID) uid = field_number(value, problem);
    if (tag == FIELD_DIR) {
      if (out->dir_count == MAX_DIRS) return refuse(problem, "too many directories");
      out->dirs[out->dir_count++] = field_string(value, problem);
    }
  }
  if (fine(problem) && (uid < 1000 || uid > 65000)) refuse(problem, "an unacceptable user id");
  out->uid = (uint32_t)uid;
  return fine(problem);
}

/* True for a path of one or more names, none of them empty, "." or "..". The worker sends relative paths that it has
 * checked; a second look costs nothing. */
static bool plain(slice_t path) {
  if (!path.length || path.length > MAX_PATH_BYTES) return false;
  size_t start = 0;
  for (size_t i = 0; i <= path.length; i++) {
    if (i < path.length && path.data[i] != '/') continue;
    const uint8_t *name = path.data + start;
    size_t length = i - start;
    if (length == 0 || (name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.')))) return false;
    start = i + 1;
  }
  return true;
}

static bool decode_egress(slice_t fields, egress_request_t *out, problem_t *problem) {
  uint8_t tag;
  slice_t value;
  while (field_next(&fields, &tag, &value, problem)) {
    if (tag != FIELD_DENY && tag != FIELD_ALLOW) return refuse(problem, "network: unknown field %u", tag);
    if (value.length != 5 || value.data[4] > 32) return refuse(problem, "network: a malformed range");
    if (out->range_count == MAX_RANGES) return refuse(problem, "network: more than %d ranges", MAX_RANGES);
    range_t *range = &out->ranges[out->range_count++];
    for (size_t i = 0; i < sizeof range->address; i++) range->address[i] = value.data[i];
    range->prefix = value.data[4];
    range->allow = tag == FIELD_ALLOW;
  }
  return fine(problem);
}

static bool decode_relay(uint8_t type, slice_t payload, relay_request_t *out, problem_t *problem) {
  size_t head = type == FRAME_RELAY_CREDIT ? 8 : 4;
  bool exact = type != FRAME_RELAY_DATA;
  if (payload.length < head || (exact && payload.length != head)) return refuse(problem, "malformed frame %u", type);
  out->id = load_u32(payload.data);
  if (type == FRAME_RELAY_CREDIT) out->credit = load_u32(payload.data + 4);
  out->bytes = (slice_t){payload.data + head, payload.length - head};
  if (out->credit > RELAY_WINDOW || out->bytes.length > RELAY_WINDOW)
    return refuse(problem, "more than a connection can hold");
  return true;
}

static bool decode_put(slice_t fields, put_request_t *out, problem_t *problem) {
  bool named = false;
  uint8_t tag;
  slice_t value;
  out->area = AREA_CODE;
  while (field_next(&fields, &tag, &value, problem)) {
    if (tag == FIELD_AREA) out->area = field_number(value, problem);
    if (tag == FIELD_EXECUTABLE) out->executable = field_number(value, problem) != 0;
    if (tag == FIELD_FOLDER) out->folder = field_number(value, problem) != 0;
    if (tag == FIELD_SIZE) out->size = field_number(value, problem);
    if (tag == FIELD_PATH && !named) {
      out->path = field_string(value, problem);
      named = true;
    }
  }
  if (!fine(problem)) return false;
  if (!named || (out->folder && out->size) || (out->area != AREA_CODE && out->area != AREA_SHIM))
    return refuse(problem, "malformed file header");
  return plain(out->path) || refuse(problem, "unacceptable path");
}

static bool decode_shim(slice_t fields, shim_request_t *out, problem_t *problem) {
  uint8_t tag;
  slice_t value;
  out->fields = fields;
  while (field_next(&fields, &tag, &value, problem)) {
    if (tag == FIELD_SPARE) out->spare = field_number(value, problem) != 0;
    if (tag != FIELD_ARG && tag != FIELD_ENV) continue;
    field_string(value, problem);
    if (tag == FIELD_ARG) out->arg_count++;
    else out->env_count++;
  }
  if (fine(problem) && !out->arg_count) refuse(problem, "a shim without a command");
  return fine(problem);
}

static void add_work_file(slice_t value, run_request_t *out, problem_t *problem) {
  if (value.length <= 8 || out->work_file_count == MAX_WORK_FILES) {
    refuse(problem, "malformed or too many work files");
    return;
  }
  slice_t path = {value.data + 8, value.length - 8};
  out->work_files[out->work_file_count++] =
      (work_file_request_t){.path = field_string(path, problem), .max_bytes = load_u64(value.data)};
}

static bool decode_run(slice_t fields, run_request_t *out, problem_t *problem) {
  uint8_t tag;
  slice_t value;
  out->fields = fields;
  while (field_next(&fields, &tag, &value, problem)) switch (tag) {
      case FIELD_ARG: field_string(value, problem); out->arg_count++; break;
      case FIELD_ENV: field_string(value, problem); out->env_count++; break;
      case FIELD_ENTRYPOINT: out->entrypoint = field_string(value, problem); break;
      case FIELD_HANDLER: out->handler = field_string(value, problem); break;
      case FIELD_INPUT: out->input = value; break;
      case FIELD_TIMEOUT_MS: out->timeout_ms = field_number(value, problem); break;
      case FIELD_GRACE_MS: out->grace_ms = field_number(value, problem); break;
      case FIELD_MAX_STDOUT: out->max_stdout = field_number(value, problem); break;
      case FIELD_MAX_STDERR: out->max_stderr = field_number(value, problem); break;
      case FIELD_MAX_RESULT: out->max_result = field_number(value, problem); break;
      case FIELD_MAX_OUTPUT_BYTES: out->output_caps.max_bytes = field_number(value, problem); break;
      case FIELD_MAX_OUTPUT_FILES: out->output_caps.max_files = field_number(value, problem); break;
      case FIELD_MAX_OUTPUT_DEPTH: {
        uint64_t depth = field_number(value, problem);
        out->output_caps.max_depth = depth < 128 ? depth : 128; /* each level holds a descriptor */
        break;
      }
      case FIELD_WORK_FILE: add_work_file(value, out, problem); break;
      case FIELD_RELAY: out->relay = field_number(value, problem) != 0; break;
      case FIELD_KEEP:
        out->reuse = true;
        out->keep = field_number(value, problem) != 0;
        break;
      case FIELD_FRESH: out->fresh = field_number(value, problem) != 0; break;
      case FIELD_RETRIED: out->retried = field_number(value, problem) != 0; break;
      default: refuse(problem, "unknown field %u of a job", tag);
    }
  /* Bounded, so that as microseconds they and their sum stay far from where numbers wrap. */
  if (fine(problem) && (!out->timeout_ms || out->timeout_ms > MAX_TIME_MS || out->grace_ms > MAX_TIME_MS))
    refuse(problem, "a job without a sensible time limit");
  if (fine(problem) && out->reuse && (out->arg_count || !out->handler.length))
    refuse(problem, "a kept process for what is no handler");
  return fine(problem);
}

bool request_decode(uint8_t type, slice_t payload, request_t *request, problem_t *problem) {
  *request = (request_t){.type = type};
  switch (type) {
    case FRAME_CONFIGURE:
      request->configure = (configure_request_t){0};
      return decode_configure(payload, &request->configure, problem);
    case FRAME_EGRESS:
      request->egress = (egress_request_t){0};
      return decode_egress(payload, &request->egress, problem);
    case FRAME_RELAY_DATA:
    case FRAME_RELAY_END:
    case FRAME_RELAY_RESET:
    case FRAME_RELAY_CREDIT:
      request->relay = (relay_request_t){0};
      return decode_relay(type, payload, &request->relay, problem);
    case FRAME_PUT:
      request->put = (put_request_t){0};
      return decode_put(payload, &request->put, problem);
    case FRAME_DATA: request->data = (data_request_t){.bytes = payload}; return true;
    case FRAME_SHIM:
      request->shim = (shim_request_t){0};
      return decode_shim(payload, &request->shim, problem);
    case FRAME_RUN:
      request->run = (run_request_t){0};
      return decode_run(payload, &request->run, problem);
    case FRAME_COMMIT:
    case FRAME_PING:
    case FRAME_KILL: return true;
    default: return refuse(problem, "unknown frame %u", type);
  }
}
