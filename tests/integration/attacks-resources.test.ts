/** Functions that want everything there is: each fails alone, with the right code, and the worker goes on as before. */

import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attacker, neighbourOf, RUNTIMES, runtimesOf } from '../support/attacks.js';
import { perl } from '../support/cost-jobs.js';
import { shell } from '../support/shell-runtime.js';
import type { JobOptions } from '../support/test-worker.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

let worker: TestWorker;

beforeAll(async () => {
  worker = await startTestWorker({ runtimes: [python({ preload: [] }), shell] });
});

afterAll(async () => {
  await worker?.close();
});

interface Expected {
  readonly errorCode: string;
  readonly job?: JobOptions;
  readonly stdout?: RegExp;
  readonly stderr?: RegExp;
}

const ATTACKS: Record<string, Expected> = {
  'fork-bomb.sh': { errorCode: 'NG_TIMEOUT', job: { timeoutMs: 1000 } },
  'thread-bomb.py': { errorCode: 'NG_EXIT_CODE', stdout: /^1[012]\d$/m },
  'memory-anonymous.sh': { errorCode: 'NG_OUT_OF_MEMORY', job: { memoryMb: 64 } },
  'memory-places.sh': { errorCode: 'NG_OUT_OF_MEMORY', job: { memoryMb: 64 } },
  'memory-mapped.py': { errorCode: 'NG_OUT_OF_MEMORY', job: { memoryMb: 64 } },
  'memory-memfd.py': { errorCode: 'NG_OUT_OF_MEMORY', job: { memoryMb: 64 } },
  'memory-sysv.py': { errorCode: 'NG_OUT_OF_MEMORY', job: { memoryMb: 64 } },
  'memory-children.py': { errorCode: 'NG_OUT_OF_MEMORY', job: { memoryMb: 64 } },
  'compile-bomb.py': { errorCode: 'NG_OUT_OF_MEMORY', job: { memoryMb: 64 } },
  'cpu-spin.sh': { errorCode: 'NG_TIMEOUT', job: { timeoutMs: 500 } },
  'disk-fill.sh': { errorCode: 'NG_EXIT_CODE', job: { memoryMb: 512 }, stderr: /No space left/ },
  'inode-fill.sh': { errorCode: 'NG_EXIT_CODE', stderr: /No space left/ },
  'open-files.py': { errorCode: 'NG_EXIT_CODE', stdout: /^10[12]\d$/m, stderr: /Too many open files/ },
  'huge-arguments.sh': { errorCode: 'NG_EXIT_CODE', stderr: /Argument list too long/ },
  'stop-everyone.sh': { errorCode: 'NG_TIMEOUT', job: { timeoutMs: 300 } },
};

describe.each(RUNTIMES)('%s', (runtime) => {
  const attacks = Object.entries(ATTACKS).filter(([file]) => runtimesOf(file).includes(runtime));

  test.each(attacks)('%s fails alone', async (file, { errorCode, job, stdout, stderr }) => {
    const neighbour = await neighbourOf(worker, runtime);
    const attack = attacker(worker, runtime);
    const running = attack(file, job);
    await neighbour();
    const result = await running;
    expect(result).toMatchObject({ status: 'FAILED', errorCode, attempt: 1 });
    if (stdout) expect(result.stdout).toMatch(stdout);
    if (stderr) expect(result.stderr).toMatch(stderr);
    await neighbour();
    const next = await worker.run({ 'main.sh': 'echo fine', 'main.py': 'print("fine")' }, { runtime });
    expect(next).toMatchObject({ status: 'SUCCESS', stdout: 'fine\n', attempt: 1 });
  });

  test('kill -9 -1 ends the job and nothing else', async () => {
    const neighbour = await neighbourOf(worker, runtime);
    const result = await attacker(worker, runtime)('kill-everyone.sh');
    expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_SIGNAL', signal: 'SIGKILL', attempt: 1 });
    await neighbour();
    // Nothing was out of order: the container is as good as new, and serves on.
    const again = await attacker(worker, runtime)('kill-everyone.sh');
    expect(again).toMatchObject({ errorCode: 'NG_SIGNAL', attempt: 1 });
  });

  test('no signal reaches the supervisor, or the process that waits', async () => {
    const attack = attacker(worker, runtime);
    expect(await attack('stop-parent.sh')).toMatchObject({ status: 'SUCCESS', stdout: 'alive\n', attempt: 1 });
  });
});

test('a job that writes a little at a time does not wake the supervisor each time', async () => {
  const writes = 5_000;
  const source = perl(`
    sub first { open(my $file, '<', $_[0]); my ($line) = grep { /$_[1]/ } <$file>; $line =~ /([\\d.]+)/; return $1 }
    my @before = (first('/proc/1/status', '^voluntary'), first('/proc/uptime', '.'));
    for (1 .. ${writes}) { syswrite(STDERR, '.'); my $x = 0; $x++ for 1 .. 1_000 }
    my @after = (first('/proc/1/status', '^voluntary'), first('/proc/uptime', '.'));
    printf('{"wakes": %d, "ms": %d}', $after[0] - $before[0], 1000 * ($after[1] - $before[1]));`);
  const { result, stderr } = await worker.run(source, { runtime: 'shell' });
  expect(stderr).toBe('.'.repeat(writes));
  const { wakes, ms } = result as { wakes: number; ms: number };
  // Once each 2 ms, and for what it looks at every 15 ms; the clock has hundredths of a second.
  expect(wakes).toBeLessThan(100 + ms);
});
