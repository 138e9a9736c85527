/* The protocol between the worker and the supervisor, and between the supervisor and a shim.
 * docs/supervisor-protocol.md explains it; packages/core/src/exec/protocol.ts is the worker's side of it. */
#ifndef NANOGRID_PROTOCOL_H
#define NANOGRID_PROTOCOL_H

#define PROTOCOL_VERSION 1

/* A frame: type (1 byte), three zero bytes, length of the payload (4 bytes, little-endian), payload. */
#define FRAME_HEADER 8
#define FRAME_MAX (16u << 20)

/* Worker to supervisor. */
enum {
  FRAME_CONFIGURE = 0x01, /* fields UID, DIR* */
  FRAME_PUT = 0x02,       /* fields AREA, PATH, EXECUTABLE, FOLDER, SIZE; DATA frames follow until SIZE bytes came */
  FRAME_DATA = 0x03,      /* bytes of the file that is being put */
  FRAME_COMMIT = 0x04,    /* the code is complete */
  FRAME_SHIM = 0x05,      /* fields ARG+, ENV*, SPARE */
  FRAME_RUN = 0x06,       /* see below */
  FRAME_KILL = 0x07,      /* end the running job now */
  FRAME_PING = 0x08,      /* between jobs: answered by READY */
  FRAME_EGRESS = 0x09     /* before CONFIGURE: fields DENY*, ALLOW*; see egress.c */
};

/* Both ways: a job's connections to the one service it may reach. The payload starts with the connection's number. */
enum {
  FRAME_RELAY_OPEN = 0x40,   /* to the worker: a new one */
  FRAME_RELAY_DATA = 0x41,   /* then bytes */
  FRAME_RELAY_END = 0x42,    /* no more bytes this way */
  FRAME_RELAY_RESET = 0x43,  /* it is over, both ways */
  FRAME_RELAY_CREDIT = 0x44  /* then 4 bytes: so many more bytes may come this way */
};

#define RELAY_PORT 61434 /* of the job's loopback; above the range that the kernel gives out */
#define RELAY_CONNECTIONS 16
#define RELAY_WINDOW (64u << 10) /* bytes under way in one direction of a connection */

/* Supervisor to worker. */
enum {
  FRAME_HELLO = 0x81,      /* field VERSION, and what the supervisor sees of its confinement */
  FRAME_READY = 0x82,      /* the next job may come; after COMMIT with MEMORY_START and CACHE_START;
                               after a job with IPC_US, WIPE_US*, POPULATE_US */
  FRAME_SHIM_READY = 0x83, /* field VERSION: the language's */
  FRAME_STDOUT = 0x84,
  FRAME_STDERR = 0x85,
  FRAME_RESULT = 0x86,    /* bytes that the job wrote to descriptor 3 */
  FRAME_FILE = 0x87,      /* fields AREA, PATH, SIZE, EXECUTABLE (of AREA_OUTPUT); FILE_DATA frames follow until SIZE bytes came */
  FRAME_FILE_DATA = 0x88,
  FRAME_SKIPPED = 0x89,   /* fields PATH, MESSAGE, OVER_LIMIT: an output that is not sent */
  FRAME_DONE = 0x8a,      /* the job is over and no process of it is left */
  FRAME_LOG = 0x8b,       /* text for the worker's log */
  FRAME_FATAL = 0x8c,     /* field MESSAGE: the supervisor ends */
  FRAME_CROWD = 0x8d      /* the running job has a crowd of processes; at most once for each job */
};

/* A field: tag (1 byte), length (4 bytes, little-endian), value. Numbers are 8 bytes, little-endian. */
enum {
  FIELD_VERSION = 1,
  FIELD_UID = 2,
  FIELD_DIR = 3,
  FIELD_AREA = 4,
  FIELD_PATH = 5,
  FIELD_EXECUTABLE = 6,
  FIELD_SIZE = 7,
  FIELD_ARG = 8,
  FIELD_ENV = 9,
  FIELD_MESSAGE = 10,
  FIELD_FOLDER = 12,     /* PUT: an empty folder, not a file */
  FIELD_OVER_LIMIT = 11, /* SKIPPED: for a cap, not for what it is */
  /* RUN; without ARG the shim runs it */
  FIELD_ENTRYPOINT = 20,
  FIELD_HANDLER = 21,
  FIELD_INPUT = 22,
  FIELD_TIMEOUT_MS = 23,
  FIELD_GRACE_MS = 24,
  FIELD_MAX_STDOUT = 25,
  FIELD_MAX_STDERR = 26,
  FIELD_MAX_RESULT = 27,
  FIELD_MAX_OUTPUT_BYTES = 28,
  FIELD_MAX_OUTPUT_FILES = 29,
  FIELD_MAX_OUTPUT_DEPTH = 30,
  FIELD_WORK_FILE = 31, /* 8 bytes: cap; then the path */
  FIELD_RELAY = 32,     /* the job may reach the one service */
  /* EGRESS: 4 bytes of an address, 1 of a prefix's length */
  FIELD_DENY = 33,
  FIELD_ALLOW = 34,
  /* SHIM */
  FIELD_SPARE = 35, /* the command is started once for each job, ahead */
  /* RUN */
  FIELD_KEEP = 36,  /* a kept process may run it; 1: whoever runs it is kept. Without the field none is used */
  FIELD_FRESH = 37, /* a kept process is ended first */
  FIELD_RETRIED = 38, /* where memory runs out it is run again: its outputs are not sent */
  /* DONE */
  FIELD_EXIT_CODE = 40,
  FIELD_SIGNAL = 41,
  FIELD_TIMED_OUT = 42,
  FIELD_KILLED = 43,
  FIELD_SPAWN_ERROR = 44, /* errno */
  FIELD_EXEC_US = 45,
  FIELD_HYGIENE_US = 46,
  FIELD_COLLECT_US = 47,
  FIELD_CPU_US = 48,
  FIELD_MAX_RSS = 49, /* bytes, of the largest process */
  FIELD_OOM_KILLS = 50,
  FIELD_SURVIVORS = 51,
  FIELD_STDOUT_BYTES = 52, /* all that was written, kept or not */
  FIELD_STDERR_BYTES = 53,
  FIELD_RESULT_BYTES = 54,
  FIELD_MEMORY_START = 55, /* the container's, in bytes, when the job began */
  FIELD_MEMORY_PEAK = 56,  /* the kernel's high-water mark since it was last reset */
  FIELD_CACHE_START = 57,  /* page cache that is not shared memory */
  FIELD_CACHE_END = 58,
  FIELD_MEMORY_END = 59,   /* the container's, once every process of the job is dead */
  FIELD_PEAK_START = 70,   /* the high-water mark when the job began */
  FIELD_CACHE_MAX = 71,    /* most page cache while the job ran, of what was sampled */
  FIELD_HELD_MAX = 72,     /* most memory without page cache, of what was sampled */
  FIELD_KILL_US = 73,      /* HYGIENE_US is the sum of these three: killing all, and counting that nobody is left */
  FIELD_DRAIN_US = 74,     /* reading what was left in the pipes */
  FIELD_METER_US = 75,     /* reading the counters */
  FIELD_KEPT = 80,         /* the job's process waits for the next one */
  FIELD_USES = 81,         /* jobs that its process has run, with this one */
  FIELD_HELD_BEFORE = 82,  /* bytes without page cache that the container held before the process's first job */
  /* READY after a job */
  FIELD_IPC_US = 76,
  FIELD_WIPE_US = 77, /* 8 bytes: time; then the place */
  FIELD_POPULATE_US = 78,
  /* HELLO: what the supervisor sees of its own confinement; what it cannot read is left out */
  FIELD_NO_NEW_PRIVS = 90,
  FIELD_SECCOMP = 91, /* 2: a filter is on */
  FIELD_CAP_EFFECTIVE = 92,
  FIELD_CAP_BOUNDING = 93,
  FIELD_READ_ONLY_ROOT = 94,
  FIELD_MEMORY_LIMIT = 95, /* bytes */
  FIELD_PIDS_LIMIT = 96,
  FIELD_OWN_KERNEL = 97, /* the container has a kernel of its own (gVisor), which filters what reaches the host's */
  FIELD_DIRECT = 98      /* the name of the socket on which the worker may go on; see direct.c */
};

/* AREA */
enum { AREA_CODE = 0, AREA_SHIM = 1, AREA_OUTPUT = 2, AREA_WORK = 3 };

#endif
