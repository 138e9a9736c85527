/* Nothing of a job outlives it: its processes, its System V objects, its files. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor.h"

void signal_job(int sig) {
  /* kill(-1) reaches every process that this user may signal, all at once: a fork cannot slip through. */
  be_job();
  kill(-1, sig);
  be_root();
}

/* A kept process that is stopped cannot wait for its children: those that have ended stay, and do nothing any more. More
 * than a few would leave too little room for the next job's. */
#define MAX_DEAD_CHILDREN 16
static bool is_dead_child(pid_t pid) {
  char path[64], text[1024];
  (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  read_text(path, text, sizeof text);
  const char *rest = strrchr(text, ')'); /* the name before may hold anything */
  if (!rest || strncmp(rest, ") Z", 3) != 0) return false;
  /* A first thread that has ended looks the same while others run: their number is 17 fields on. */
  for (int field = 0; rest && field < 18; field++) rest = strchr(rest + 1, ' ');
  return rest && strtol(rest, NULL, 10) <= 1;
}

/* How many processes of the job's user there are: those that this user may signal. The kernel's own word for it, which
 * no process can change, unlike what it shows of itself. One that has ended but was not waited for counts. Each but
 * `spared` gets the signal; 0 is none. */
static size_t each_of_job(int sig, pid_t spared) {
  size_t dead = 0;
  static int proc = -1;
  static char buffer[32768] __attribute__((aligned(8)));
  if (proc < 0) proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (proc < 0 || lseek(proc, 0, SEEK_SET) < 0) host_fatal("/proc: %s", strerror(errno));
  size_t count = 0;
  be_job();
  for (;;) {
    long n = syscall(SYS_getdents64, proc, buffer, sizeof buffer);
    if (n <= 0) {
      be_root();
      if (n < 0) host_fatal("/proc: %s", strerror(errno));
      return count;
    }
    for (long at = 0; at < n;) {
      struct directory_entry *entry = (struct directory_entry *)(buffer + at);
      at += entry->length;
      if (entry->name[0] < '1' || entry->name[0] > '9') continue;
      pid_t pid = (pid_t)strtol(entry->name, NULL, 10);
      if (pid <= 1 || pid == spared || kill(pid, sig) < 0) continue;
      if (!spared || !is_dead_child(pid)) count++;
      else if (++dead > MAX_DEAD_CHILDREN) count++;
    }
  }
}

void reap_children(void) {
  int status;
  struct rusage usage;
  pid_t pid;
  while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
    shim_check_alive(pid);
    uint64_t cpu_us = (uint64_t)usage.ru_utime.tv_sec * 1000000 + (uint64_t)usage.ru_utime.tv_usec +
                      (uint64_t)usage.ru_stime.tv_sec * 1000000 + (uint64_t)usage.ru_stime.tv_usec;
    uint64_t max_rss = (uint64_t)usage.ru_maxrss * 1024;
    if (!runner_reaped(pid, status, cpu_us, max_rss)) job_reaped(pid, status, cpu_us, max_rss);
  }
}

/* The kernel's own count of the container's processes and threads. With the waiting process alive, and it is not one of a
 * job's, exactly so many leave nobody who could be of a job or start anything for one. */
bool nobody_but(size_t others) {
  uint64_t count = meter_processes();
  return count == (shim_pid > 0 ? 2u : 1u) + others;
}

void signal_runner(int sig) {
  be_job();
  kill(runner.pid, sig);
  be_root();
}

/* Always looks at each: meanwhile one that is just being stopped leaves the processor, so that its clock stands still. */
size_t kill_job_but(pid_t spared) { return each_of_job(SIGKILL, spared); }

uint64_t kill_everyone(void) {
  uint64_t deadline = now_us() + 5000000;
  size_t left = 0;
  for (int round = 0;; round++) {
    if (nobody_but(0)) return 0;
    signal_job(SIGKILL);
    runner_kill();
    reap_children();
    left = each_of_job(0, 0) + runner_alive();
    if (left == 0 || now_us() > deadline) return left;
    /* A dying process needs a moment to give its memory back. */
    struct pollfd none = {.fd = shim_socket, .events = 0};
    poll(&none, shim_socket >= 0 ? 1 : 0, round < 20 ? 1 : 5);
  }
}

/* The kinds of System V objects. The kernel numbers the places of each kind from 0. */
static const struct ipc_kind {
  long control;
  int info, stat_any, stat;
} ipc_kinds[] = {
    {SYS_shmctl, SHM_INFO, 15 /* SHM_STAT_ANY */, SHM_STAT},
    {SYS_semctl, SEM_INFO, 20 /* SEM_STAT_ANY */, SEM_STAT},
    {SYS_msgctl, MSG_INFO, 13 /* MSG_STAT_ANY */, MSG_STAT},
};

static long ipc_control(const struct ipc_kind *kind, int id, int command, void *about) {
  /* Semaphores have one argument more: the number within a set. */
  if (kind->control == SYS_semctl) return syscall(SYS_semctl, id, 0, command, about);
  return syscall(kind->control, id, command, about);
}

/* The highest place in use; -1 where there is none. */
static long ipc_top(const struct ipc_kind *kind) {
  union {
    struct shm_info shm;
    struct seminfo sem;
    struct msginfo msg;
  } info;
  long top = ipc_control(kind, 0, kind->info, &info);
  if (top < 0) return -1;
  long used = kind->info == SHM_INFO ? info.shm.used_ids : kind->info == SEM_INFO ? info.sem.semusz : info.msg.msgpool;
  return used > 0 ? top : -1;
}

bool remove_ipc(void) {
  bool clean = true;
  for (size_t k = 0; k < sizeof ipc_kinds / sizeof *ipc_kinds; k++) {
    const struct ipc_kind *kind = &ipc_kinds[k];
    long top = ipc_top(kind);
    if (top < 0) continue;
    act_as_job();
    for (int i = 0; i <= top; i++) {
      /* An object that not even its owner may read is found by STAT_ANY only; kernels before 4.17 do not know that. */
      char about[512];
      long id = ipc_control(kind, i, kind->stat_any, about);
      if (id < 0) id = ipc_control(kind, i, kind->stat, about);
      if (id >= 0) ipc_control(kind, (int)id, IPC_RMID, NULL);
    }
    act_as_root();
    /* gVisor numbers them in ways of its own: what this did not reach must not reach the next job. */
    clean = ipc_top(kind) < 0 && clean;
  }
  return clean;
}

/* How long each place took goes to `times`, where there is one. */
bool clean_up(bytes_t *times) {
  uint64_t began = now_us(), now;
  bool clean = remove_ipc();
  now = now_us();
  if (times) field_u64(times, FIELD_IPC_US, now - began);
  act_as_job();
  for (size_t i = 0; i < config.dir_count; i++) {
    began = now;
    clean = wipe_directory(config.dirs[i]) && clean;
    now = now_us();
    if (!times) continue;
    uint8_t value[8 + 64];
    size_t length = strnlen(config.dirs[i], sizeof value - 8);
    for (int byte = 0; byte < 8; byte++) value[byte] = (uint8_t)((now - began) >> (8 * byte));
    memcpy(value + 8, config.dirs[i], length);
    field_bytes(times, FIELD_WIPE_US, value, 8 + length);
  }
  act_as_root();
  return clean;
}

bool wipe_everything(void) { return clean_up(NULL); }
