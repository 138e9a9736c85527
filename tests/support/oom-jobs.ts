/** Programs that run out of memory, and programs that only look like it. Owns no state. */

import { perl, python } from './cost-jobs.js';

/** The limit that they are made for, in MiB. */
export const OOM_MEMORY_MB = 48;

type Runtime = 'python' | 'shell';
type Case = readonly [name: string, runtime: Runtime, code: Record<string, string>];

const shell = (source: string) => ({ 'main.sh': source });

/** Each needs more than its limit: `NG_OUT_OF_MEMORY`. */
export const OUT_OF_MEMORY: readonly Case[] = [
  ['anonymous', 'python', python('a = b"x" * (200 << 20)')],
  ['anonymous', 'shell', perl('vec($a, 200 * 1048576 - 1, 8) = 1')],
  ['growing', 'python', python('a = []\nwhile True: a.append(b"x" * (1 << 20))')],
  ['growing', 'shell', perl('push @a, "x" x 65536 while 1')],
  [
    'mapped',
    'python',
    python('import mmap\nm = mmap.mmap(-1, 200 << 20)\nfor i in range(0, 200 << 20, 4096): m[i] = 1'),
  ],
  [
    'children, together',
    'python',
    python(`import os, sys
for i in range(4):
    if os.fork() == 0:
        a = b"x" * (30 << 20); os.read(0, 1 << 20); import time; time.sleep(20); os._exit(0)
sys.exit(max(os.waitstatus_to_exitcode(os.wait()[1]) != 0 for i in range(1)))`),
  ],
  ['a child', 'shell', { ...perl('push @a, "x" x 65536 while 1'), 'main.sh': 'perl job.pl' }],
  ['files in tmpfs', 'shell', shell('dd if=/dev/zero of=/tmp/x bs=1M count=100 2>/dev/null')],
  ['shared memory', 'shell', shell('exec dd if=/dev/zero of=/dev/shm/x bs=64k count=1600 2>/dev/null')],
  [
    'threads',
    'python',
    python(`import threading, time
def work():
    a = b"x" * (20 << 20); time.sleep(20)
for i in range(5): threading.Thread(target=work).start()`),
  ],
];

/** None of them was killed for want of memory: the code beside each. */
export const NOT_OUT_OF_MEMORY: readonly (readonly [...Case, errorCode: string | undefined])[] = [
  ['exit code 137', 'python', python('import sys\nsys.exit(137)'), 'NG_EXIT_CODE'],
  ['exit code 137', 'shell', shell('exit 137'), 'NG_EXIT_CODE'],
  ['SIGKILL of its own', 'python', python('import os\nos.kill(os.getpid(), 9)'), 'NG_SIGNAL'],
  ['SIGKILL of its own', 'shell', shell('kill -9 $$'), 'NG_SIGNAL'],
  ['SIGKILL of everything it may kill', 'shell', shell('kill -9 -1'), 'NG_EXIT_CODE'],
  ['a child that was killed', 'shell', shell('sh -c "kill -9 \\$\\$"'), 'NG_EXIT_CODE'],
  [
    'MemoryError by a limit of its own',
    'python',
    python('import resource\nresource.setrlimit(resource.RLIMIT_AS, (200 << 20, -1))\na = b"x" * (400 << 20)'),
    'NG_EXIT_CODE',
  ],
  ['MemoryError raised', 'python', python('raise MemoryError()'), 'NG_EXIT_CODE'],
  ['close below the limit', 'python', python('a = b"x" * (44 << 20)'), undefined],
  ['close below the limit', 'shell', perl('vec($a, 44 * 1048576 - 1, 8) = 1'), undefined],
  [
    'exit code 1 after nine tenths of the limit',
    'python',
    python('import sys\na = b"x" * (43 << 20)\nsys.exit(1)'),
    'NG_EXIT_CODE',
  ],
  ['a full folder', 'shell', shell('dd if=/dev/zero of=/output/x bs=1M count=40 2>/dev/null; exit 3'), 'NG_EXIT_CODE'],
];

/**
 * An ELF program without libraries that writes to its standard output until it is killed, in hexadecimal: as small as a process can
 * be, so that the kernel, once the program has taken back its offer to be the first, finds the supervisor larger.
 */
export const TINY_PROGRAM = [
  '7f454c4602010100000000000000000002003e0001000000780040000000000040000000000000000000000000000000',
  '000000004000380001000000000000000100000005000000000000000000000000004000000000000000400000000000',
  '920000000000000092000100000000000010000000000000',
  // mov edi,1; mov rsi,0x400000; mov edx,65536; mov eax,1; syscall; jmp to the start
  'bf0100000048c7c600004000ba00000100b8010000000f05ebe6',
].join('');
