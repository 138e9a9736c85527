/* Growing buffers, and fields inside frames as they are written. fields.c reads them. */
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

void bytes_drop(bytes_t *b, size_t length) {
  if (length == b->length) {
    bytes_clear(b);
  } else if (length) {
    memmove(b->data, b->data + length, b->length - length);
    b->length -= length;
  }
}

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
