/** Programs that use a known amount of memory or CPU time, for each runtime. Owns no state. */

export const MIB = 2 ** 20;

type Code = Record<string, string>;

export const python = (source: string): Code => ({ 'main.py': source });
/** A program of Perl, which the plain image has, in the runtime of the shell. */
export const perl = (source: string): Code => ({ 'main.sh': 'exec perl job.pl', 'job.pl': source });

/**
 * Reads what the image has below /usr from the disk, so that its page cache is the container's, and prints by how many
 * bytes that grew. With `drop` it makes the kernel forget the pages before it ends.
 */
export const readFiles = (drop: boolean) => `
import os
def cache():
    for path in ("/sys/fs/cgroup/memory.stat", "/sys/fs/cgroup/memory/memory.stat"):
        if os.path.exists(path):
            stat = dict(line.split() for line in open(path))
            return int(stat.get("total_cache", stat.get("file"))) - int(stat.get("total_shmem", stat.get("shmem")))
def each(work):
    for folder, _, names in os.walk("/usr"):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                fd = os.open(path, os.O_RDONLY)
                work(fd)
                os.close(fd)
def forget(fd):
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
def read(fd):
    forget(fd)
    while os.read(fd, 1 << 18): pass
before = cache()
each(read)
print(cache() - before)
${drop ? 'import time\ntime.sleep(.1)\neach(forget)\n' : ''}`;

/** A program of each runtime that holds so much for 50 ms. */
export const holding = (mib: number) => ({
  python: python(`import time\na = b"x" * (${mib} << 20); time.sleep(.05)`),
  shell: perl(`vec($a, ${mib} * 1048576 - 1, 8) = 1; select(undef, undef, undef, .05)`),
});

/** What is run, how much of it is on top of the bare program, in MiB. */
export const MEMORY_CASES: readonly (readonly [name: string, runtime: 'python' | 'shell', mib: number, code: Code])[] =
  [
    ...(['python', 'shell'] as const).flatMap((runtime) =>
      [20, 50, 100, 200].map((mib) => [`${mib} MiB for 50 ms`, runtime, mib, holding(mib)[runtime]] as const),
    ),
    [
      'packages: 100 MiB in an array',
      'python',
      100,
      python('import numpy, time\na = numpy.ones(100 << 17)\ntime.sleep(.05)'),
    ],
    [
      'four processes of 25 MiB at once',
      'python',
      100,
      python(`import os, time
r, w = os.pipe()
hold, let_go = os.pipe()
for i in range(4):
    if os.fork() == 0:
        os.close(let_go)
        a = b"x" * (25 << 20); os.write(w, b"."); os.read(hold, 1); os._exit(0)
for i in range(4): os.read(r, 1)
time.sleep(.05)
os.close(let_go)
for i in range(4): os.wait()`),
    ],
    [
      'four threads of 25 MiB at once',
      'python',
      100,
      python(`import threading, time
all_hold = threading.Barrier(4)
def work():
    a = b"x" * (25 << 20); all_hold.wait(); time.sleep(.05)
threads = [threading.Thread(target=work) for i in range(4)]
for t in threads: t.start()
for t in threads: t.join()`),
    ],
    [
      'shared memory of four processes, once',
      'python',
      100,
      python(`import mmap, os, time
m = mmap.mmap(-1, 100 << 20)
for i in range(0, 100 << 20, 4096): m[i] = 1
for i in range(3):
    if os.fork() == 0:
        s = sum(m[j] for j in range(0, 100 << 20, 4096)); os._exit(0)
for i in range(3): os.wait()`),
    ],
    [
      'a mapped file of its own',
      'python',
      50,
      python(`import mmap
f = open("/tmp/x", "wb+"); f.truncate(50 << 20)
m = mmap.mmap(f.fileno(), 0)
for i in range(0, 50 << 20, 4096): m[i] = 1`),
    ],
    ['files in tmpfs', 'shell', 100, { 'main.sh': 'dd if=/dev/zero of=/tmp/x bs=64k count=1600 2>/dev/null' }],
  ];

/** Three children that spin for 100 ms of CPU time each; their end is told by the end of a pipe, nobody waits for them. */
const spinners = (setUp: string) =>
  python(`import os, signal, time
${setUp}
r, w = os.pipe()
for i in range(3):
    if os.fork() == 0:
        while time.process_time() < .1: pass
        os._exit(0)
os.close(w)
os.read(r, 1)`);

/** CPU time in ms that each takes, user and system. */
export const CPU_CASES: readonly [name: string, runtime: 'python' | 'shell', cpuMs: number, code: Code][] = [
  [
    'one process',
    'python',
    200,
    python('import time\nt = time.process_time()\nwhile time.process_time() - t < .2: pass'),
  ],
  [
    'one process',
    'shell',
    200,
    perl('use POSIX; for (;;) { my ($r, $u, $s) = POSIX::times(); last if $u + $s >= 20 }'),
  ],
  ['three processes that nobody waits for', 'python', 300, spinners('')],
  [
    'three processes of one that ignores their end',
    'python',
    300,
    spinners('signal.signal(signal.SIGCHLD, signal.SIG_IGN)'),
  ],
];
