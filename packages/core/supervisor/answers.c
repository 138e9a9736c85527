/* What the shim says, and a process that takes its jobs itself. Pure, like the decoding of the worker's frames. */
#include <string.h>

#include "decode.h"

/* A decimal number up to `end` (a character, or the text's end), which is passed over too. */
static bool take_number(const char **text, char end, uint64_t most, uint64_t *out) {
  const char *p = *text;
  uint64_t value = 0;
  if (*p < '0' || *p > '9') return false;
  for (; *p >= '0' && *p <= '9'; p++) {
    uint64_t digit = (uint64_t)(*p - '0');
    if (value > (most - digit) / 10) return false;
    value = value * 10 + digit;
  }
  if (*p != end) return false;
  *text = end ? p + 1 : p;
  *out = value;
  return true;
}

bool answer_decode(const char *text, answer_t *out) {
  *out = (answer_t){0};
  if (strncmp(text, "READY ", 6) == 0) {
    out->kind = ANSWER_READY;
    out->version = text + 6;
    return true;
  }
  if (strcmp(text, "BOUND") == 0) {
    out->kind = ANSWER_BOUND;
    return true;
  }
  if (strcmp(text, "START") == 0) {
    out->kind = ANSWER_START;
    return true;
  }
  if (strncmp(text, "END ", 4) == 0) {
    const char *code = text + 4;
    uint64_t value;
    if (!take_number(&code, 0, 0xff, &value)) return false;
    out->kind = ANSWER_END;
    out->status = (int)value << 8;
    return true;
  }
  if (strncmp(text, "EXIT ", 5) != 0) return false;
  out->kind = ANSWER_EXIT;
  const char *rest = text + 5;
  uint64_t status;
  if (!take_number(&rest, ' ', 0xffff, &status) || !take_number(&rest, ' ', UINT64_MAX, &out->cpu_us) ||
      !take_number(&rest, 0, UINT64_MAX, &out->max_rss))
    return false;
  out->status = (int)status;
  return true;
}
