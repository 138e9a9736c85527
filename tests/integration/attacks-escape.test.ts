/** Functions that want out: to the kernel, the supervisor, the network, the host. Nothing they try works. */

import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attacker, attackFiles, neighbourOf, RUNTIMES } from '../support/attacks.js';
import { shell } from '../support/shell-runtime.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

let worker: TestWorker;

beforeAll(async () => {
  worker = await startTestWorker({ runtimes: [python({ preload: [] }), shell] });
});

afterAll(async () => {
  await worker?.close();
});

describe.each(RUNTIMES)('%s', (runtime) => {
  test('no system call, special file or program gains it anything', async () => {
    const result = await attacker(worker, runtime)('escape.sh');
    expect(result.stdout).toMatch(/^host [0-9a-f]{12}\n$/);
  });
});

test('no way leads into the supervisor or the process that waits', async () => {
  const neighbour = await neighbourOf(worker, 'python');
  const result = await attacker(worker, 'python')('reach-supervisor.py');
  expect(result).toMatchObject({ status: 'SUCCESS', stdout: 'victims True\ntried\n', stderr: '', attempt: 1 });
  await neighbour();
});

test('no address answers, and no socket is there', async () => {
  const result = await attacker(worker, 'python')('network.py');
  expect(result).toMatchObject({ status: 'SUCCESS', stdout: "found [] ['lo']\n", stderr: '' });
});

test('a signal that meets the supervisor while it is the job’s user does not end it', async () => {
  const key = await worker.put(attackFiles('signal-supervisor.py', 'python'));
  const job = { key, runtime: 'python', functionId: 'signals' };
  const starts: string[] = [];
  for (let i = 0; i < 12; i++) {
    const result = await worker.run(undefined, job);
    expect(result).toMatchObject({ status: 'SUCCESS', stdout: 'ended\n', attempt: 1 });
    starts.push(result.phases.start);
  }
  expect(starts.slice(1)).toEqual(Array(11).fill('reused'));
});
