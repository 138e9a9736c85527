/** Whom a container serves: one function, one version, one memory limit, for life; and never again after an anomaly. */

import { createDockerClient } from '@nanogrid/core';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attackFiles, inspectByHostname, ownContainers, RUNTIMES } from '../support/attacks.js';
import { shell } from '../support/shell-runtime.js';
import type { JobOptions } from '../support/test-worker.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

const docker = createDockerClient(undefined);
let worker: TestWorker;

beforeAll(async () => {
  const settings = { pool: { maxContainers: 12 } };
  worker = await startTestWorker({ runtimes: [python({ preload: [] }), shell], settings });
});

afterAll(async () => {
  await worker?.close();
});

const WHERE = { 'main.sh': 'hostname', 'main.py': 'import os; print(os.uname().nodename)' };

/** Runs a job and returns the name of the container that served it. */
async function where(job: JobOptions): Promise<string> {
  const result = await worker.run(undefined, job);
  expect(result).toMatchObject({ status: 'SUCCESS', attempt: 1 });
  return result.stdout.trim();
}

describe.each(RUNTIMES)('%s', (runtime) => {
  test('functions, versions and memory limits never share a container, whatever the order', async () => {
    const first = await worker.put(WHERE);
    const same = await worker.put(WHERE);
    const other = await worker.put({ ...WHERE, version: '2' });
    const jobs: Record<string, JobOptions> = {
      'the function': { key: first, functionId: 'one' },
      'the same code of another function': { key: first, functionId: 'two' },
      'another version of it': { key: other, functionId: 'one' },
      'with another memory limit': { key: first, functionId: 'one', memoryMb: 128 },
      'without a function id': { key: first },
      'the same code under another key, without an id': { key: same },
    };
    const names = Object.keys(jobs);
    const served = new Map<string, Set<string>>();
    // Forwards, backwards, and all at once: nobody meets what another has used.
    const note = async (name: string) => {
      const container = await where({ runtime, ...jobs[name] });
      served.set(container, (served.get(container) ?? new Set()).add(name));
    };
    for (const name of [...names, ...names.toReversed()]) await note(name);
    await Promise.all([...names, ...names].map(note));
    for (const [, users] of served) expect([...users]).toHaveLength(1);
    expect(new Set([...served.values()].flatMap((users) => [...users]))).toEqual(new Set(names));
  });

  test.each([
    // Long enough for a program to begin and say where it is, on a machine that is busy.
    ['a time-out', 'cpu-spin.sh', { timeoutMs: 4_000 }, 'NG_TIMEOUT'],
    ['out of memory', 'memory-anonymous.sh', { memoryMb: 64 }, 'NG_OUT_OF_MEMORY'],
  ])('after %s the container is removed, and never used again', async (name, file, job, errorCode) => {
    const files = attackFiles(file, runtime);
    const script = files['job.sh'] ?? files['main.sh'] ?? '';
    // The first job says where it is and ends well; the second is the attack, in the same container.
    const both = `hostname; read -r turn; [ "$turn" = 1 ] && exit 0\n${script}`;
    const key = await worker.put(runtime === 'shell' ? { 'main.sh': both } : { ...files, 'job.sh': both });
    const options = { key, runtime, functionId: `after ${name}`.replaceAll(' ', '-'), ...job };
    const used = await where({ ...options, input: 1 });
    expect((await inspectByHostname(used)).State.Running).toBe(true);
    const attack = await worker.run(undefined, { ...options, input: 2 });
    expect(attack).toMatchObject({ status: 'FAILED', errorCode, stdout: `${used}\n`, phases: { start: 'reused' } });
    expect(await where({ ...options, input: 1 })).not.toBe(used);
    const left = async () => (await ownContainers()).filter(({ Id }) => Id.startsWith(used)).length;
    await expect.poll(left).toBe(0);
  });

  test.each(['idle', 'bound'] as const)(
    'a container that died while %s is replaced before a job meets it',
    async (state) => {
      const key = await worker.put(WHERE);
      const job = { key, runtime, functionId: `died-${state}` };
      const bound = state === 'bound' ? await where(job) : '';
      await expect.poll(async () => (await worker.worker.status()).pool.runtimes[runtime]?.idle).toBe(1);
      // The names of a worker's containers end in the order of their making: the last one waits for its first job.
      const serial = ({ Names }: { Names: string[] }) => Number(/\d+$/.exec(Names[0] ?? '')?.[0]);
      const own = (await ownContainers()).filter(({ Labels }) => Labels['nanogrid.runtime'] === runtime);
      const [idle] = own.sort((a, b) => serial(b) - serial(a));
      const victim = await inspectByHostname(state === 'bound' ? bound : (idle?.Id ?? ''));
      await docker.getContainer(victim.Id).kill();
      const gone = async () => (await ownContainers()).some(({ Id }) => Id === victim.Id);
      await expect.poll(gone).toBe(false);
      await expect.poll(async () => (await worker.worker.status()).pool.runtimes[runtime]?.idle).toBe(1);
      // Neither tried again, nor made to wait for a container of its own.
      const result = await worker.run(undefined, job);
      expect(result).toMatchObject({ status: 'SUCCESS', attempt: 1, phases: { start: 'warm' } });
      expect(victim.Id.startsWith(result.stdout.trim())).toBe(false);
    },
  );
});
