/* Starting processes, and acting as the job's user.
 *
 * The supervisor is root with three capabilities: SETUID, SETGID and KILL. The job's user has none. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor.h"

static int set_users(uid_t real, uid_t effective, uid_t saved) {
  return (int)syscall(SYS_setresuid, real, effective, saved);
}

/* The kernel should prefer the job over us when memory runs out; only possible while we are still root. */
static void die_first(void) {
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd >= 0) {
    if (write(fd, "1000", 4) < 0) errno = 0; /* a wish, no guard: a kernel that has no such file kills whom it likes */
    (void)close(fd);
  }
}

int become_job(void) {
  die_first();
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -1;
  if (syscall(SYS_setgroups, 0, NULL) < 0) return -1;
  if (syscall(SYS_setresgid, config.uid, config.uid, config.uid) < 0) return -1;
  return set_users(config.uid, config.uid, config.uid);
}

void act_as_job(void) {
  if (set_users((uid_t)-1, config.uid, (uid_t)-1) < 0) host_fatal("cannot act as the job's user: %s", strerror(errno));
}

void act_as_root(void) {
  if (set_users((uid_t)-1, 0, (uid_t)-1) < 0) host_fatal("cannot act as root again: %s", strerror(errno));
}

void be_job(void) {
  /* While the real user is the job's, its processes may signal us too; PID 1 of a namespace ignores them. */
  if (set_users(config.uid, config.uid, 0) < 0) host_fatal("cannot become the job's user: %s", strerror(errno));
}

void be_root(void) {
  if (set_users(0, 0, 0) < 0) host_fatal("cannot become root again: %s", strerror(errno));
}

/* The job's and the waiting process's, which the job's inherit: ours is 0. Processes that are being made come first by
 * themselves, one after the other, and we would wait for tens of milliseconds for a look at who makes them. */
#define LATER 10

static void child(const spawn_t *how, volatile int *error) {
  sigset_t none;
  sigemptyset(&none);
  signal(SIGPIPE, SIG_DFL);
  setsid();
  umask(022);
  (void)setpriority(PRIO_PROCESS, 0, LATER); /* a wish */
  if (how->as_job) {
    if (become_job() < 0 || chdir(WORK_DIR) < 0) goto failed;
  } else if (chdir("/") < 0) {
    goto failed;
  }
  if (how->first_to_die) die_first();
  if (dup2(how->stdin_fd, 0) < 0 || dup2(how->stdout_fd, 1) < 0 || dup2(how->stderr_fd, 2) < 0) goto failed;
  if (how->extra_fd >= 0 && dup2(how->extra_fd, 3) < 0) goto failed;
  if (how->control_fd > 0 && dup2(how->control_fd, 4) < 0) goto failed;
  sigprocmask(SIG_SETMASK, &none, NULL);
  execvpe(how->argv[0], how->argv, how->envp);
failed:
  *error = errno;
  _exit(127);
}

pid_t spawn(const spawn_t *how, int *error) {
  /* vfork: the child borrows our memory until it has become the program, which makes it quick, and lets it tell us
   * why it could not. Every descriptor of ours is above 3 and closes on exec. */
  volatile int reason = 0;
  pid_t pid = vfork();
  if (pid == 0) child(how, &reason);
  if (pid < 0) reason = errno;
  *error = reason;
  return reason ? -1 : pid;
}
