/** Programs that do all they can to outlive their deadline. Owns no state. */

import { perl, python } from './cost-jobs.js';

const shell = (source: string) => ({ 'main.sh': source });
const IGNORE = 'import os, signal, time\nfor s in (1, 2, 15): signal.signal(s, signal.SIG_IGN)\n';

type Case = readonly [name: string, runtime: 'python' | 'shell', code: Record<string, string>];

/** None of them ends by itself. */
export const ENDLESS: readonly (readonly [name: string, runtime: 'python' | 'shell', code: Record<string, string>])[] =
  [
    ['ignores SIGTERM, spins', 'python', python(`${IGNORE}while True: pass`)],
    ['ignores SIGTERM, sleeps', 'shell', shell('trap "" TERM HUP INT; while :; do sleep 1000; done')],
    [
      'several processes, each in a session of its own',
      'python',
      python(`${IGNORE}for i in range(6):\n    if os.fork() == 0: os.setsid(); break\nwhile True: pass`),
    ],
    ['is stopped', 'shell', shell('trap "" TERM; kill -STOP $$; sleep 1000')],
    ['writes without end', 'shell', perl('$SIG{TERM} = "IGNORE"; $| = 1; print "x" x 65536 while 1')],
    ['writes without end', 'python', python(`${IGNORE}b = b"y" * 65536\nwhile True: os.write(1, b)`)],
    [
      'fills its disk again and again',
      'shell',
      shell('trap "" TERM; while :; do dd if=/dev/zero of=/tmp/x bs=1M count=60 conv=fsync 2>/dev/null; sync; done'),
    ],
    [
      'holds a child that ignores SIGTERM in vfork',
      'python',
      python(`${IGNORE}import subprocess\nwhile True: subprocess.run(["sh", "-c", "trap '' TERM; sleep 1000"])`),
    ],
  ];

/** Nor do these; they take all the processor time that their container has, the supervisor's too. */
export const FORKING: readonly Case[] = [
  ['forks without end', 'shell', perl('$SIG{TERM} = "IGNORE"; fork while 1')],
  ['forks without end', 'python', python(`${IGNORE}while True:\n    try: os.fork()\n    except OSError: pass`)],
];
