/* Growing buffers, and fields inside frames. */
#include <stdlib.h>
#include <string.h>

#include "supervisor.h"

void bytes_reserve(bytes_t *b, size_t more) {
  if (b->capacity - b->length >= more) return;
  size_t capacity = b->capacity ? b->capacity : 4096;
  while (capacity - b->length < more) capacity *= 2;
  uint8_t *data = realloc(b->data, capacity);
  if (!data) host_fatal("out of memory");
  b->data = data;
  b->capacity = capacity;
}

void bytes_append(bytes_t *b, const void *data, size_t length) {
  if (!length) return;
  bytes_reserve(b, length);
  memcpy(b->data + b->length, data, length);
  b->length += length;
}

void bytes_clear(bytes_t *b) {
  b->length = 0;
  if (b->capacity > (256u << 10)) {
    free(b->data);
    b->data = NULL;
    b->capacity = 0;
  }
}

uint32_t load_u32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t load_u64(const uint8_t *p) { return load_u32(p) | (uint64_t)load_u32(p + 4) << 32; }

void field_bytes(bytes_t *b, uint8_t tag, const void *data, size_t length) {
  uint8_t head[5] = {tag, (uint8_t)length, (uint8_t)(length >> 8), (uint8_t)(length >> 16), (uint8_t)(length >> 24)};
  bytes_append(b, head, sizeof head);
  bytes_append(b, data, length);
}

void field_u64(bytes_t *b, uint8_t tag, uint64_t value) {
  uint8_t raw[8];
  for (int i = 0; i < 8; i++) raw[i] = (uint8_t)(value >> (8 * i));
  field_bytes(b, tag, raw, sizeof raw);
}

bool field_next(slice_t *rest, uint8_t *tag, slice_t *value) {
  if (rest->length == 0) return false;
  if (rest->length < 5) host_fatal("malformed field");
  size_t length = load_u32(rest->data + 1);
  if (length > rest->length - 5) host_fatal("field longer than its frame");
  *tag = rest->data[0];
  value->data = rest->data + 5;
  value->length = length;
  rest->data += 5 + length;
  rest->length -= 5 + length;
  return true;
}

uint64_t field_number(slice_t value) {
  if (value.length != 8) host_fatal("a number of %zu bytes", value.length);
  return load_u64(value.data);
}

char *field_string(slice_t value) {
  if (memchr(value.data, 0, value.length)) host_fatal("NUL inside a string");
  char *text = malloc(value.length + 1);
  if (!text) host_fatal("out of memory");
  memcpy(text, value.data, value.length);
  text[value.length] = 0;
  return text;
}
