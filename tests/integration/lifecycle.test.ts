/** Containers and jobs over a worker's life: reuse, room, replacement, stop, and death. */

import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDockerClient } from '@nanogrid/core';
import { openLocal } from '@nanogrid/plugin-local';
import { afterEach, describe, expect, test } from 'vitest';
import { shell } from '../support/shell-runtime.js';
import { containersOf, programsOf, startProcess, type WorkerProcess } from '../support/start-process.js';
import { startTestWorker } from '../support/test-worker.js';
import { zip } from '../support/zip.js';

const docker = createDockerClient(undefined);

describe('the pool', () => {
  test('a second job of a function reuses its container, another version gets another', async () => {
    await using worker = await startTestWorker({ runtimes: [shell] });
    const one = await worker.put({ 'main.sh': 'echo one' });
    const two = await worker.put({ 'main.sh': 'echo two' });
    const starts = [];
    for (const key of [one, one, two, one]) {
      const result = await worker.run(undefined, { key, runtime: 'shell', functionId: 'f' });
      starts.push(`${result.stdout.trim()} ${result.phases.start === 'reused' ? 'reused' : 'new'}`);
    }
    expect(starts).toEqual(['one new', 'one reused', 'two new', 'one reused']);
  });

  test('the same code of two functions never shares a container', async () => {
    await using worker = await startTestWorker({ runtimes: [shell] });
    const key = await worker.put({ 'main.sh': 'hostname' });
    const first = await worker.run(undefined, { key, runtime: 'shell', functionId: 'a' });
    const second = await worker.run(undefined, { key, runtime: 'shell', functionId: 'b' });
    expect(second.phases.start).not.toBe('reused');
    expect(second.stdout).not.toBe(first.stdout);
  });

  test('the least recently used container makes room, and the limit holds', async () => {
    const settings = { pool: { maxContainers: 3, sizes: { shell: 0 } } };
    await using worker = await startTestWorker({ runtimes: [shell], settings });
    const keys = await Promise.all([1, 2, 3, 4].map((n) => worker.put({ 'main.sh': `echo ${n}` })));
    const run = async (n: number) => {
      const job = { key: keys[n - 1] ?? '', runtime: 'shell', functionId: `f${n}` };
      return (await worker.run(undefined, job)).phases.start;
    };
    for (const n of [1, 2, 3, 1, 4]) await run(n);
    expect(await run(1)).toBe('reused');
    expect(await run(2)).toBe('cold');
    const { runtimes } = (await worker.worker.status()).pool;
    expect((runtimes.shell?.bound ?? 0) + (runtimes.shell?.busy ?? 0)).toBeLessThanOrEqual(3);
  });

  test('an idle container waits again even where bound ones have taken all the room', async () => {
    await using worker = await startTestWorker({ runtimes: [shell], settings: { pool: { maxContainers: 3 } } });
    for (let n = 1; n <= 5; n++) {
      await worker.run({ 'main.sh': `echo ${n}` }, { runtime: 'shell', functionId: `f${n}` });
      const idle = async () => (await worker.worker.status()).pool.runtimes.shell?.idle;
      await expect.poll(idle).toBe(1);
    }
    expect((await containersOf(process.pid)).length).toBeLessThanOrEqual(3);
  });

  test('an idle container waits again after a crowd that stood in line for all the room', async () => {
    // Four jobs and two containers: while both were taken others waited, so none could be made to wait idle.
    const settings = { worker: { slots: 4 }, pool: { maxContainers: 2 } };
    await using worker = await startTestWorker({ runtimes: [shell], settings });
    const key = await worker.put({ 'main.sh': 'sleep 0.5' });
    const crowd = Array.from({ length: 4 }, () => worker.run(undefined, { key, runtime: 'shell', functionId: 'f' }));
    for (const { status } of await Promise.all(crowd)) expect(status).toBe('SUCCESS');
    const idle = async () => (await worker.worker.status()).pool.runtimes.shell?.idle;
    await expect.poll(idle).toBe(1);
  });

  test('an idle container that died is replaced before a job meets it', async () => {
    await using worker = await startTestWorker({ runtimes: [shell] });
    const [before] = await containersOf(process.pid);
    await docker.getContainer(before ?? '').kill();
    await expect.poll(() => containersOf(process.pid)).not.toContain(before);
    await expect.poll(async () => (await worker.worker.status()).pool.runtimes.shell).toEqual({ idle: 1 });
    const result = await worker.run({ 'main.sh': 'echo ok' }, { runtime: 'shell' });
    expect(result).toMatchObject({ stdout: 'ok\n', phases: { start: 'warm' } });
  });

  test('a container whose job ran out of time is never used again', async () => {
    await using worker = await startTestWorker({ runtimes: [shell] });
    const key = await worker.put({ 'main.sh': 'hostname; read -r s; sleep "$s"' });
    const job = { key, runtime: 'shell', functionId: 'slow', timeoutMs: 2_500 };
    const late = await worker.run(undefined, { ...job, input: 30 });
    const next = await worker.run(undefined, { ...job, input: 0 });
    expect(late.errorCode).toBe('NG_TIMEOUT');
    expect(next.stdout).not.toBe(late.stdout);
  });

  test('a container that is lost during a job: the job is tried again', async () => {
    await using worker = await startTestWorker({ runtimes: [shell] });
    const id = await worker.submit({ 'main.sh': 'sleep 7; echo done' }, { runtime: 'shell' });
    await expect.poll(() => programsOf(process.pid)).toContain('sleep 7');
    // One that is only being made is spared.
    await Promise.all(
      (await containersOf(process.pid)).map((name) =>
        docker
          .getContainer(name)
          .kill()
          .catch(() => {}),
      ),
    );
    expect(await worker.result(id)).toMatchObject({ status: 'SUCCESS', stdout: 'done\n', attempt: 2 });
  });
});

describe('stopping', () => {
  test('lets running jobs end, and leaves no container', async () => {
    const worker = await startTestWorker({ runtimes: [shell] });
    const id = await worker.submit({ 'main.sh': 'sleep 3; echo done' }, { runtime: 'shell' });
    await expect.poll(async () => (await worker.worker.status()).activeJobs).toBe(1);
    await worker.worker.stop();
    expect(await worker.client.results.get(id)).toMatchObject({ state: 'completed' });
    expect(await containersOf(process.pid)).toEqual([]);
    await worker.close();
  });

  test('hands back what does not end within the deadline, for another worker to run', async () => {
    const settings = { worker: { drainTimeoutMs: 200 } };
    const worker = await startTestWorker({ runtimes: [shell], settings });
    await worker.submit({ 'main.sh': 'sleep 600' }, { runtime: 'shell' });
    await expect.poll(async () => (await worker.worker.status()).pool.runtimes.shell?.busy).toBe(1);
    await worker.worker.stop();
    expect(await worker.client.queue.stats()).toMatchObject({ waiting: 1, inFlight: 0 });
    expect(await containersOf(process.pid)).toEqual([]);
    await worker.close();
  });
});

describe('a worker that is killed', () => {
  const cleanups: (() => Promise<unknown>)[] = [];

  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean();
  });

  async function start(directory: string): Promise<WorkerProcess> {
    const worker = await startProcess(directory);
    cleanups.push(worker.stop);
    return worker;
  }

  test('leaves no container, and its jobs are run by the next: one result each', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'nanogrid-test-'));
    cleanups.push(() => rm(directory, { recursive: true, force: true }));
    await mkdir(join(directory, 'data'));
    const client = await openLocal({ directory: join(directory, 'data') });
    cleanups.push(() => client.close());
    await client.code.put({ bucket: undefined, key: 'f.zip' }, await zip({ 'main.sh': 'sleep 3; cat' }));
    const ids = Array.from({ length: 6 }, (_, i) => `job-${i}`);
    for (const [i, requestId] of ids.entries()) {
      client.queue.send(JSON.stringify({ requestId, runtime: 'shell', s3Key: 'f.zip', input: i }));
    }
    const { child: first, pool } = await start(directory);
    // Two jobs run and none of its containers is only being made: such a one would wait for the next start.
    await expect.poll(pool).toEqual({ busy: 2, idle: 1 });
    first.kill('SIGKILL');
    await once(first, 'exit');
    await expect.poll(() => containersOf(first.pid)).toEqual([]);

    const { child: second } = await start(directory);
    const signal = AbortSignal.timeout(100_000);
    const results = await Promise.all(ids.map((id) => client.results.wait(id, signal)));
    expect(results.map((result) => [result?.status, result?.stdout])).toEqual(ids.map((_, i) => ['SUCCESS', `${i}`]));
    second.kill('SIGTERM');
    const [exitCode] = await once(second, 'exit');
    expect(exitCode).toBe(0);
    expect(await containersOf(second.pid)).toEqual([]);
  });

  test('its leftovers are swept by the next start, a live neighbour’s are not', async () => {
    const dead = await startDeadProcess();
    const image = 'debian:trixie-slim';
    const host = (await firstLabels()).host;
    const make = (owner: string) =>
      docker.createContainer({
        Image: image,
        Cmd: ['sleep', '60'],
        HostConfig: { NetworkMode: 'none' },
        Labels: { 'nanogrid.role': 'job', 'nanogrid.host': host, 'nanogrid.process': owner },
      });
    const orphan = await make(dead);
    const neighbour = await make((await firstLabels()).process);
    cleanups.push(() => neighbour.remove({ force: true }));
    cleanups.push(() => orphan.remove({ force: true }).catch(() => {}));
    await (await startTestWorker({ runtimes: [shell] })).close();
    await expect(orphan.inspect()).rejects.toMatchObject({ statusCode: 404 });
    expect((await neighbour.inspect()).Id).toBe(neighbour.id);
  });

  /** The labels that a worker of this process gives its containers. */
  async function firstLabels(): Promise<{ host: string; process: string }> {
    await using _worker = await startTestWorker({ runtimes: [shell] });
    const [name] = await containersOf(process.pid);
    const { Labels } = (await docker.getContainer(name ?? '').inspect()).Config;
    return { host: Labels['nanogrid.host'] ?? '', process: Labels['nanogrid.process'] ?? '' };
  }

  /** The process label of a worker that has ended. */
  async function startDeadProcess(): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), 'nanogrid-test-'));
    cleanups.push(() => rm(directory, { recursive: true, force: true }));
    await mkdir(join(directory, 'data'));
    const { child } = await start(directory);
    const [name] = await containersOf(child.pid);
    const { Labels } = (await docker.getContainer(name ?? '').inspect()).Config;
    child.kill('SIGKILL');
    await once(child, 'exit');
    return Labels['nanogrid.process'] ?? '';
  }
});
