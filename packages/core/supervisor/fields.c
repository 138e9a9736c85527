/* Fields inside frames, as they are read. Pure. bytes.c writes them. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "decode.h"

bool refuse(problem_t *problem, const char *format, ...) {
  if (problem->text[0]) return false;
  va_list args;
  va_start(args, format);
  (void)vsnprintf(problem->text, sizeof problem->text, format, args); /* cut where it is too long */
  va_end(args);
  return false;
}

uint32_t load_u32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t load_u64(const uint8_t *p) { return load_u32(p) | (uint64_t)load_u32(p + 4) << 32; }

bool field_next(slice_t *rest, uint8_t *tag, slice_t *value, problem_t *problem) {
  if (problem->text[0] || rest->length == 0) return false;
  if (rest->length < 5) return refuse(problem, "malformed field");
  size_t length = load_u32(rest->data + 1);
  if (length > rest->length - 5) return refuse(problem, "field longer than its frame");
  *tag = rest->data[0];
  value->data = rest->data + 5;
  value->length = length;
  rest->data += 5 + length;
  rest->length -= 5 + length;
  return true;
}

uint64_t field_number(slice_t value, problem_t *problem) {
  if (value.length == 8) return load_u64(value.data);
  refuse(problem, "a number of %zu bytes", value.length);
  return 0;
}

slice_t field_string(slice_t value, problem_t *problem) {
  if (value.length && memchr(value.data, 0, value.length)) refuse(problem, "NUL inside a string");
  return value;
}
