/* Which frame of the worker may come when. Pure: the state is the caller's.
 *
 *   [EGRESS] → CONFIGURE → (PUT DATA*)* → [SHIM] → (PUT DATA*)* → COMMIT → (PING | RUN KILL*)*
 *
 * The relay's frames may come at any time after that: a connection may end while one is on its way. Those of a
 * connection that is no more are passed over.
 *
 * The caller moves on what only it can know: a shim that is ready (SHIM_READY), one that has bound itself to the code
 * (`binding` ends), a job that is over (`running` ends). */
#include "decode.h"

/* By its type alone, before the frame is read. */
static bool may_come(const order_t *order, uint8_t type, problem_t *problem) {
  if (type == FRAME_EGRESS)
    return !(order->configured || order->bounded) || refuse(problem, "the network's bounds are set already");
  if (type == FRAME_CONFIGURE) return !order->configured || refuse(problem, "configured twice");
  if (!order->configured) return refuse(problem, "not configured yet");
  if (type >= FRAME_RELAY_DATA && type <= FRAME_RELAY_CREDIT) return true;
  if (order->putting && type != FRAME_DATA) return refuse(problem, "frame %u in the middle of a file", type);
  if (order->running && type != FRAME_KILL) return refuse(problem, "frame %u while a job runs", type);
  return true;
}

static bool move_on(order_t *order, request_t *request, problem_t *problem) {
  switch (request->type) {
    case FRAME_EGRESS: order->bounded = true; break;
    case FRAME_CONFIGURE: order->configured = true; break;
    case FRAME_PUT:
      if (order->committed && request->put.area == AREA_CODE)
        return refuse(problem, "code for a container that has its code");
      order->put_left = request->put.size;
      order->putting = request->put.size > 0;
      break;
    case FRAME_DATA:
      if (!order->putting || request->data.bytes.length > order->put_left)
        return refuse(problem, "data that no file waits for");
      order->put_left -= request->data.bytes.length;
      order->putting = order->put_left > 0;
      request->data.last = !order->putting;
      break;
    case FRAME_COMMIT:
      if (order->committed) return refuse(problem, "code committed out of order");
      if (order->shim == SHIM_STARTING) return refuse(problem, "code for a shim that is not ready");
      order->committed = true;
      order->binding = order->shim == SHIM_READY;
      break;
    case FRAME_SHIM:
      if (order->shim != SHIM_NONE) return refuse(problem, "the shim is running already");
      if (order->committed) return refuse(problem, "a shim for a container that has its code");
      order->shim = SHIM_STARTING;
      break;
    case FRAME_RUN:
      if (!request->run.arg_count && order->shim != SHIM_READY)
        return refuse(problem, "a job for a shim that is not ready");
      if (!order->committed || order->binding) return refuse(problem, "a job out of order");
      order->running = true;
      break;
    case FRAME_PING:
      if (!order->committed || order->binding) return refuse(problem, "a ping out of order");
      break;
    default: break; /* KILL may cross the end of its job */
  }
  return true;
}

bool request_take(order_t *order, uint8_t type, slice_t payload, request_t *request, problem_t *problem) {
  return may_come(order, type, problem) && request_decode(type, payload, request, problem) &&
         move_on(order, request, problem);
}
