/** A limit that a plugin set for one run: what the job gets, and the second run where memory ran out under it. */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { definePlugin, type ExecSpec, type FirstRun } from '@nanogrid/core';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { TINY_PROGRAM } from '../support/oom-jobs.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

/** Each line is a call of a hook. */
const calls: string[] = [];
let wanted: Partial<ExecSpec> = {};
let firstRun: FirstRun | undefined;

const plugin = definePlugin({
  name: 'smaller',
  version: '1.0.0',
  core: '^0.1.0',
  optionsSchema: { type: 'object', properties: {} },
  apply({ hooks }) {
    hooks.beforeExec.tap('t', (spec) => {
      calls.push(`beforeExec ${spec.memoryMb} MiB, ${spec.cpus}`);
      return { ...spec, ...wanted, workFiles: [{ path: 'work', maxBytes: 100 }] };
    });
    hooks.afterExec.tap('t', (result, report) => {
      firstRun = report.firstRun;
      calls.push(`afterExec ${result.status} ${report.spec.memoryMb} MiB, out of memory: ${report.outOfMemory}`);
      return result;
    });
    hooks.onResult.tap('t', ({ status }) => void calls.push(`onResult ${status}`));
  },
});

let worker: TestWorker;
let key: string;

beforeAll(async () => {
  worker = await startTestWorker({ runtimes: [python({ preload: [] })], plugins: [plugin()] });
  key = await worker.put({
    'main.py': `import os, sys

TINY = bytes.fromhex("${TINY_PROGRAM}")

def handler(event, context):
    limit = context.memory_limit_in_mb
    for folder in ("/output", "."):
        with open(f"{folder}/{'work' if folder == '.' else f'{limit}.txt'}", "w") as file:
            file.write(f"at {limit}")
    print(f"runs at {limit}", flush=True)
    if "lose" in event and limit < event["lose"]:
        with open("/tmp/tiny", "wb") as file:
            file.write(TINY)
        os.chmod("/tmp/tiny", 0o755)
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("0")
        os.dup2(os.open("/dev/shm/x", os.O_WRONLY | os.O_CREAT), 1)
        os.execv("/tmp/tiny", ["/tmp/tiny"])
    if "child" in event and os.fork() == 0:
        hold = bytearray(event["child"] << 20)
        os._exit(0)
    if "child" in event:
        return os.waitstatus_to_exitcode(os.wait()[1])
    hold = bytearray(event.get("hold", 0) << 20)
    return limit
`,
  });
});

afterAll(async () => {
  await worker?.close();
});

beforeEach(() => {
  calls.length = 0;
  firstRun = undefined;
});

const run = (input: Record<string, number>) =>
  worker.run(undefined, { key, handler: 'main.handler', functionId: 'f', memoryMb: 256, input });

/** Names of the output files of a job in the store. */
async function stored(requestId: string): Promise<string[]> {
  const entries = await readdir(worker.dataDir, { recursive: true, withFileTypes: true });
  const ofJob = entries.filter((entry) => entry.isFile() && entry.parentPath.endsWith(join('outputs', requestId)));
  return ofJob.map(({ name }) => name);
}

test('a job runs with the limit that beforeExec set, and containers of another one are not used for it', async () => {
  wanted = {};
  expect(await run({})).toMatchObject({ result: 256, memoryMb: 256 });
  wanted = { memoryMb: 64, retryMemoryMb: 256 };
  const smaller = await run({});
  expect(smaller).toMatchObject({ status: 'SUCCESS', result: 64, memoryMb: 64 });
  expect(smaller.phases.start).not.toBe('reused');
  expect(firstRun).toBeUndefined();
  expect(await run({})).toMatchObject({ result: 64, phases: { start: 'reused' } });
  wanted = { memoryMb: 64, cpus: 0.5 };
  expect((await run({})).phases.start).not.toBe('reused');
});

test('where memory runs out under it, the job runs once more, and there is one result of one attempt', async () => {
  wanted = { memoryMb: 64, retryMemoryMb: 256 };
  const result = await run({ hold: 150 });
  expect(result).toMatchObject({
    status: 'SUCCESS',
    result: 256,
    memoryMb: 256,
    attempt: 1,
    stdout: 'runs at 256\n',
    stderr: '',
  });
  expect(result).not.toHaveProperty('errorCode');
  expect(calls).toEqual([
    'beforeExec 256 MiB, 1',
    'afterExec SUCCESS 256 MiB, out of memory: false',
    'onResult SUCCESS',
  ]);
  expect(firstRun?.spec.memoryMb).toBe(64);
  expect(firstRun?.durationMs).toBeGreaterThan(0);
  expect(String(firstRun?.workFiles.get('work'))).toBe('at 64');
  // Nothing of the first run is in the store.
  expect(result.outputFiles).toHaveLength(1);
  expect(await stored(result.requestId)).toEqual(['256.txt']);
});

test('also where only a child was killed for want of memory, and the job copes with it', async () => {
  wanted = { memoryMb: 64, retryMemoryMb: 256 };
  expect(await run({ child: 150 })).toMatchObject({ status: 'SUCCESS', result: 0, memoryMb: 256 });
});

test('also where the container is lost with it', async () => {
  wanted = { memoryMb: 64, retryMemoryMb: 256 };
  const result = await run({ lose: 128 });
  expect(result).toMatchObject({ status: 'SUCCESS', result: 256, attempt: 1 });
  expect(firstRun).toMatchObject({ spec: { memoryMb: 64 }, durationMs: 0, cpuMs: 0 });
});

test('once: memory that runs out in the second run is the result', async () => {
  wanted = { memoryMb: 64, retryMemoryMb: 128 };
  expect(await run({ hold: 500 })).toMatchObject({
    status: 'FAILED',
    errorCode: 'NG_OUT_OF_MEMORY',
    errorMessage: 'the function used more memory than its limit of 128 MiB',
  });
  expect(calls).toEqual(['beforeExec 256 MiB, 1', 'afterExec FAILED 128 MiB, out of memory: true', 'onResult FAILED']);
});

test('without a second limit there is no second run', async () => {
  wanted = { memoryMb: 64 };
  const result = await run({ hold: 150 });
  expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_OUT_OF_MEMORY', memoryMb: 64 });
  expect(firstRun).toBeUndefined();
  // A failed job's outputs are kept, as ever.
  expect(await stored(result.requestId)).toEqual(['64.txt']);
});
