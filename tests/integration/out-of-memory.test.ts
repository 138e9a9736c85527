/** Out of memory is told from the kernel's own count, and from nothing else. The figures are those of one round; see `tests/campaigns`. */

import { python as pythonRuntime } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { python } from '../support/cost-jobs.js';
import { NOT_OUT_OF_MEMORY, OOM_MEMORY_MB, OUT_OF_MEMORY } from '../support/oom-jobs.js';
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

/**
 * An ELF program without libraries that writes to its standard output until it is killed: as small as a process can
 * be, so that the kernel, once the program has taken back its offer to be the first, finds the supervisor larger.
 */
const TINY = [
  '7f454c4602010100000000000000000002003e0001000000780040000000000040000000000000000000000000000000',
  '000000004000380001000000000000000100000005000000000000000000000000004000000000000000400000000000',
  '920000000000000092000100000000000010000000000000',
  // mov edi,1; mov rsi,0x400000; mov edx,65536; mov eax,1; syscall; jmp to the start
  'bf0100000048c7c600004000ba00000100b8010000000f05ebe6',
].join('');

test('a job that makes the kernel choose the supervisor ran out of memory, once', async () => {
  const source = `open F, ">", "/tmp/tiny"; print F pack("H*", "${TINY}"); close F; chmod 0755, "/tmp/tiny";
open S, ">", "/proc/self/oom_score_adj" or die; print S "0"; close S or die;
open STDOUT, ">", "/dev/shm/x"; exec "/tmp/tiny"; die "not run: $!"`;
  const result = await worker.run({ 'main.sh': 'exec perl job.pl', 'job.pl': source }, { runtime: 'shell', memoryMb });
  expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_OUT_OF_MEMORY', attempt: 1 });
});
