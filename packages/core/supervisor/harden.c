/* What no process of a container may ask of the kernel, whatever the engine's own filter says: rings of requests
 * (io_uring), a part of the kernel with a long record of ways out, which older engines' filters let through. Installed
 * by the supervisor before anything else runs, inherited by everything, and never to be taken off again. */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor.h"

/* The same numbers on every architecture; x32 marks its calls with a bit of their own. */
#define FIRST_REFUSED 425 /* io_uring_setup */
#define LAST_REFUSED 427  /* io_uring_register, after io_uring_enter */
#define X32_BIT 0x40000000u

/* The kernel's own headers (linux/filter.h, linux/seccomp.h) are not there where musl is. */
struct instruction {
  uint16_t code;
  uint8_t if_true, if_false; /* how many instructions to pass over */
  uint32_t value;
};
struct program {
  unsigned short length;
  const struct instruction *instructions;
};
enum { LOAD = 0x20, AND = 0x54, JUMP_GE = 0x35, JUMP_GT = 0x25, RETURN = 0x06 };
#define NUMBER_OFFSET 0 /* of the call's number in what a filter sees */
#define ALLOW 0x7fff0000u
#define REFUSE (0x00050000u | EPERM)
#define SET_MODE_FILTER 1
#define FLAG_SPEC_ALLOW 4

int harden(void) {
  static const struct instruction code[] = {
      {LOAD, 0, 0, NUMBER_OFFSET},        {AND, 0, 0, ~X32_BIT},   {JUMP_GE, 0, 2, FIRST_REFUSED},
      {JUMP_GT, 1, 0, LAST_REFUSED}, {RETURN, 0, 0, REFUSE}, {RETURN, 0, 0, ALLOW},
  };
  const struct program filter = {sizeof code / sizeof *code, code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -1;
  /* Older kernels slow every filtered process down against a side channel, unless told not to. */
  if (syscall(SYS_seccomp, SET_MODE_FILTER, FLAG_SPEC_ALLOW, &filter) == 0) return 0;
  return (int)syscall(SYS_seccomp, SET_MODE_FILTER, 0, &filter);
}
