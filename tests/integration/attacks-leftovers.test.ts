/** Functions that mean to leave something behind, of every kind: the next job in the same container finds nothing of it. */

import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attackFiles, RUNTIMES, type RuntimeName } from '../support/attacks.js';
import { shell } from '../support/shell-runtime.js';
import type { PublishedResult } from '../support/test-worker.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

let worker: TestWorker;

beforeAll(async () => {
  worker = await startTestWorker({ runtimes: [python({ preload: ['numpy'] }), shell] });
});

afterAll(async () => {
  await worker?.close();
});

/** The same function again and again, in one container; what is left by one is there for the next to find. */
async function inTurn(file: string, runtime: RuntimeName, count = 3, prefix = ''): Promise<PublishedResult[]> {
  const files = attackFiles(file, runtime);
  const key = await worker.put({ ...files, 'main.py': prefix + (files['main.py'] ?? '') });
  const results: PublishedResult[] = [];
  for (let i = 0; i < count; i++) {
    results.push(
      await worker.run(undefined, { key, runtime, functionId: `${file}-${prefix.length}`, timeoutMs: 10_000 }),
    );
  }
  expect(results.slice(1).map(({ phases }) => phases.start)).toEqual(Array(count - 1).fill('reused'));
  expect(results.map(({ attempt }) => attempt)).toEqual(Array(count).fill(1));
  return results;
}

describe.each(RUNTIMES)('%s', (runtime) => {
  test('files of every kind, in every place', async () => {
    const results = await inTurn('leftovers.sh', runtime);
    for (const { stdout } of results) {
      expect(stdout).toBe(results[0]?.stdout);
      expect(stdout).not.toMatch(/broken|LEFT|^\//m);
    }
  });

  test('processes that mean to stay', async () => {
    const results = await inTurn('daemons.sh', runtime);
    expect(results.map(({ status, stdout }) => [status, stdout])).toEqual(
      results.map(() => ['SUCCESS', results[0]?.stdout]),
    );
  });
});

// With the process that has the packages, and with the one that has none.
describe.each([
  ['python', ''],
  ['python with packages', 'import numpy\n'],
])('%s', (_name, prefix) => {
  test('objects, locks, keys, limits and priorities', async () => {
    const results = await inTurn('leftovers.py', 'python', 3, prefix);
    for (const { stdout, stderr } of results) {
      expect(stderr).toBe('');
      expect(stdout).toContain('found []\n');
      expect(stdout).toMatch(/^state 0o22 \/function 10 0 True \[\(1024, 1024\), \(0, 0\), \(-1, -1\)\] \[\] /m);
      expect(stdout).toMatch(/ \[0, 1, 2, 3\] False False 1000 1$/m);
      expect(stdout).toBe(results[0]?.stdout);
    }
  });

  test('processes that are deaf, stopped, traced, and multiply', async () => {
    const results = await inTurn('daemons.py', 'python', 3, prefix);
    expect(results.map(({ status, stdout }) => [status, stdout])).toEqual(results.map(() => ['SUCCESS', 'others 1\n']));
  });

  test('a pipe where the next process looks for its code', async () => {
    const results = await inTurn('fifo-main.py', 'python', 4, prefix);
    expect(results.map(({ status }) => status)).toEqual(Array(4).fill('SUCCESS'));
  });
});
