/** Out of memory is told from the kernel's own count, and from nothing else. The figures are those of one round; see `tests/campaigns`. */

import { python as pythonRuntime } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { python } from '../support/cost-jobs.js';
import { NOT_OUT_OF_MEMORY, OOM_MEMORY_MB, OUT_OF_MEMORY, TINY_PROGRAM } from '../support/oom-jobs.js';
import { shell } from '../support/shell-runtime.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

const memoryMb = OOM_MEMORY_MB;
let worker: TestWorker;

beforeAll(async () => {
  worker = await startTestWorker({
    runtimes: [pythonRuntime({ preload: [] }), shell],
    settings: { worker: { slots: 2 }, sandbox: { diskMb: 256 } },
  });
});

afterAll(async () => {
  await worker?.close();
});

describe.each([1, 2])('round %i', () => {
  test.each(OUT_OF_MEMORY)('out of memory: %s (%s)', async (_name, runtime, code) => {
    const result = await worker.run(code, { runtime, memoryMb });
    expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_OUT_OF_MEMORY', attempt: 1 });
    expect(result.errorMessage).toContain(`${memoryMb} MiB`);
  });

  test.each(NOT_OUT_OF_MEMORY)('not out of memory: %s (%s)', async (_name, runtime, code, errorCode) => {
    const result = await worker.run(code, { runtime, memoryMb });
    expect(result.errorCode).toBe(errorCode);
  });
});

test('a child that was killed for memory is no failure of a job that copes with it, and its container goes', async () => {
  const key = await worker.put(
    python(`import os
pid = os.fork()
if pid == 0:
    a = b"x" * (200 << 20)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`),
  );
  const job = { key, memoryMb, functionId: 'copes' };
  for (let round = 0; round < 2; round++) {
    const result = await worker.run(undefined, job);
    expect(result).toMatchObject({ status: 'SUCCESS', exitCode: 0, stdout: '-9\n' });
    expect(result.phases.start).not.toBe('reused');
  }
});

test('the next job after one that ran out of memory is served as ever', async () => {
  const code = { 'main.sh': 'echo fine' };
  expect(await worker.run(code, { runtime: 'shell', memoryMb })).toMatchObject({ status: 'SUCCESS', stdout: 'fine\n' });
});

test('a job that makes the kernel choose the supervisor ran out of memory, once', async () => {
  const source = `open F, ">", "/tmp/tiny"; print F pack("H*", "${TINY_PROGRAM}"); close F; chmod 0755, "/tmp/tiny";
open S, ">", "/proc/self/oom_score_adj" or die; print S "0"; close S or die;
open STDOUT, ">", "/dev/shm/x"; exec "/tmp/tiny"; die "not run: $!"`;
  const result = await worker.run({ 'main.sh': 'exec perl job.pl', 'job.pl': source }, { runtime: 'shell', memoryMb });
  expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_OUT_OF_MEMORY', attempt: 1 });
});
