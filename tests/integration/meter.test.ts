/** What the supervisor reads of cgroup v1 and v2: the real program, on files as kernels write them. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { shell } from '../support/shell-runtime.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

const FIXTURES = fileURLToPath(new URL('../fixtures/cgroup/', import.meta.url));

let worker: TestWorker;

beforeAll(async () => {
  worker = await startTestWorker({ runtimes: [shell] });
});

afterAll(async () => {
  await worker?.close();
});

/** The files of one layout, by path below it. */
async function filesOf(layout: string): Promise<Record<string, Buffer>> {
  const entries = await readdir(join(FIXTURES, layout), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const read = files.map(async (path) => [path.slice(FIXTURES.length), await readFile(path)] as const);
  return Object.fromEntries(await Promise.all(read));
}

test.each([
  ['v1', 'v1 usage=8388608 peak=104857600 cache=2048000 oom_kills=2 cpu_us=123456 allowed_us=174000'],
  ['v2', 'v2 usage=52428800 peak=73400320 cache=13631488 oom_kills=3 cpu_us=987654 allowed_us=600000'],
  ['v2-without-peak', 'v2 usage=52428800 peak=0 cache=13631488 oom_kills=3 cpu_us=987654 allowed_us=0'],
  ['nothing', 'v1 usage=0 peak=0 cache=0 oom_kills=0 cpu_us=0 allowed_us=0'],
])('counters of %s', async (layout, expected) => {
  const files = layout === 'nothing' ? {} : await filesOf(layout);
  // The program is in every container; a job may run it, as any other, and reads what it could read itself.
  const script = `exec /nanogrid/bin/nanogrid-supervisor meter "$PWD/${layout}"`;
  const result = await worker.run({ ...files, 'main.sh': script }, { runtime: 'shell' });
  expect(result).toMatchObject({ status: 'SUCCESS', stdout: `${expected}\n`, stderr: '' });
});
