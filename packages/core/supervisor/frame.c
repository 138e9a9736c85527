/* Whole frames out of a stream of bytes. Pure: no input, no output, no state. */
#include "decode.h"

frame_state_t frame_take(slice_t in, uint8_t *type, slice_t *payload, size_t *total) {
  if (in.length < FRAME_HEADER) return FRAME_NONE;
  const uint8_t *head = in.data;
  uint32_t length = load_u32(head + 4);
  if (head[1] || head[2] || head[3] || length > FRAME_MAX) return FRAME_INVALID;
  if (in.length - FRAME_HEADER < length) return FRAME_NONE;
  *type = head[0];
  payload->data = head + FRAME_HEADER;
  payload->length = length;
  *total = FRAME_HEADER + (size_t)length;
  return FRAME_WHOLE;
}
