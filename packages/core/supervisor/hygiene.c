/* Nothing of a job outlives it: its processes, its System V objects, its files. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
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

struct directory_entry {
  uint64_t inode;
  int64_t offset;
  unsigned short length;
  unsigned char type;
  char name[];
};

void signal_job(int sig) {
  /* kill(-1) reaches every process that this user may signal, all at once: a fork cannot slip through. */
  be_job();
  kill(-1, sig);
  be_root();
}

/* How many processes of the job's user there are: those that this user may signal. The kernel's own word for it, which
 * no process can change, unlike what it shows of itself. One that has ended but was not waited for counts. */
static size_t count_job(void) {
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
      if (pid > 1 && kill(pid, 0) == 0) count++;
    }
  }
}

void reap_children(void) {
  int status;
  struct rusage usage;
  pid_t pid;
  while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
    shim_check_alive(pid);
    job_reaped(pid, status,
               (uint64_t)usage.ru_utime.tv_sec * 1000000 + (uint64_t)usage.ru_utime.tv_usec +
                   (uint64_t)usage.ru_stime.tv_sec * 1000000 + (uint64_t)usage.ru_stime.tv_usec,
               (uint64_t)usage.ru_maxrss * 1024);
  }
}

uint64_t kill_everyone(void) {
  uint64_t deadline = now_us() + 5000000;
  size_t left = 0;
  for (int round = 0;; round++) {
    signal_job(SIGKILL);
    reap_children();
    left = count_job();
    if (left == 0 || now_us() > deadline) return left;
    /* A dying process needs a moment to give its memory back. */
    struct pollfd none = {.fd = shim_socket, .events = 0};
    poll(&none, shim_socket >= 0 ? 1 : 0, round < 20 ? 1 : 5);
  }
}

void remove_ipc(void) {
  struct shm_info shm;
  struct seminfo sem;
  struct msginfo msg;
  int shm_top = shmctl(0, SHM_INFO, (struct shmid_ds *)&shm);
  int sem_top = semctl(0, 0, SEM_INFO, &sem);
  int msg_top = msgctl(0, MSG_INFO, (struct msqid_ds *)&msg);
  bool any = (shm_top >= 0 && shm.used_ids > 0) || (sem_top >= 0 && sem.semusz > 0) || (msg_top >= 0 && msg.msgpool > 0);
  if (!any) return;
  act_as_job();
  for (int i = 0; i <= shm_top; i++) {
    struct shmid_ds about;
    int id = shmctl(i, SHM_STAT, &about);
    if (id >= 0) shmctl(id, IPC_RMID, NULL);
  }
  for (int i = 0; i <= sem_top; i++) {
    struct semid_ds about;
    int id = semctl(i, 0, SEM_STAT, &about);
    if (id >= 0) semctl(id, 0, IPC_RMID);
  }
  for (int i = 0; i <= msg_top; i++) {
    struct msqid_ds about;
    int id = msgctl(i, MSG_STAT, &about);
    if (id >= 0) msgctl(id, IPC_RMID, NULL);
  }
  act_as_root();
}

/* How long each place took goes to `times`, where there is one. */
bool clean_up(bytes_t *times) {
  bool clean = true;
  uint64_t began = now_us(), now;
  remove_ipc();
  now = now_us();
  if (times) field_u64(times, FIELD_IPC_US, now - began);
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
  return clean;
}

bool wipe_everything(void) { return clean_up(NULL); }
