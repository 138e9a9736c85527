/** The supervisor when it is killed, stopped, flooded, or short of everything: real containers, real jobs. */

import { randomBytes } from 'node:crypto';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDockerClient, defineRuntime, type Runtime } from '@nanogrid/core';
import { describe, type ExpectStatic, expect, test } from 'vitest';
import { configure, F, field, frame, numbers, run, startRawSupervisor } from '../support/raw-supervisor.js';
import { startTestWorker } from '../support/test-worker.js';

const docker = createDockerClient(undefined);

/** The shell under a name of its own, so that a test finds its own containers among those of tests beside it. */
function shellNamed(name: string): Runtime {
  return defineRuntime({
    name,
    image: 'debian:trixie-slim',
    version: '5.2',
    entrypoints: ['main.sh'],
    run: ['sh', '{entrypoint}'],
  });
}

async function containersOf(runtime: string): Promise<string[]> {
  const all = await docker.listContainers({ all: true, filters: { label: [`nanogrid.runtime=${runtime}`] } });
  return all
    .filter(({ Labels }) => Labels['nanogrid.process']?.startsWith(`${process.pid}.`))
    .map(({ Names }) => Names[0]?.slice(1) ?? '');
}

/** Sends a signal to the first process of a runtime's running containers; returns their names. */
async function signalAll(runtime: string, signal: string): Promise<string[]> {
  const running = await docker.listContainers({ filters: { label: [`nanogrid.runtime=${runtime}`] } });
  const up = new Set(running.map(({ Names }) => Names[0]?.slice(1)));
  const names = (await containersOf(runtime)).filter((name) => up.has(name));
  await Promise.all(names.map((name) => docker.getContainer(name).kill({ signal })));
  return names;
}

/** Waits until the `sleep` of a job runs, and returns the name of its container. */
async function runningJob(expect: ExpectStatic, runtime: string): Promise<string> {
  let found = '';
  const look = async () => {
    for (const name of await containersOf(runtime)) {
      // One that is not running yet, or no longer, has no processes.
      const top = await docker
        .getContainer(name)
        .top()
        .catch(() => undefined);
      if (JSON.stringify(top ?? '').includes('sleep 7')) found = name;
    }
    return found;
  };
  await expect.poll(look).not.toBe('');
  return found;
}

async function gone(expect: ExpectStatic, runtime: string, names: readonly string[]): Promise<void> {
  const left = async () => (await containersOf(runtime)).filter((name) => names.includes(name));
  await expect.poll(left).toEqual([]);
}

describe.concurrent('the first process of a container', () => {
  test('killed while a job runs: the job is run again, one result, slot and container are free', async ({ expect }) => {
    await using worker = await startTestWorker({ runtimes: [shellNamed('killed')] });
    const id = await worker.submit({ 'main.sh': 'sleep 7; echo done' }, { runtime: 'killed' });
    const name = await runningJob(expect, 'killed');
    await docker.getContainer(name).kill();
    expect(await worker.result(id)).toMatchObject({ status: 'SUCCESS', stdout: 'done\n', attempt: 2 });
    await gone(expect, 'killed', [name]);
    await expect.poll(async () => (await worker.worker.status()).activeJobs).toBe(0);
    await expect.poll(() => worker.client.queue.stats()).toMatchObject({ waiting: 0, inFlight: 0 });
  });

  test('stopped while a job runs: given up soon after the deadline, removed, and the job is run again', async ({
    expect,
  }) => {
    await using worker = await startTestWorker({ runtimes: [shellNamed('stopped')] });
    const id = await worker.submit({ 'main.sh': 'sleep 7; echo done' }, { runtime: 'stopped', timeoutMs: 18_000 });
    const name = await runningJob(expect, 'stopped');
    await docker.getContainer(name).kill({ signal: 'SIGSTOP' });
    expect(await worker.result(id, 200_000)).toMatchObject({ status: 'SUCCESS', stdout: 'done\n', attempt: 2 });
    await gone(expect, 'stopped', [name]);
  });

  test('stopped while it waits for its next job: another container runs it, in the first attempt', async ({
    expect,
  }) => {
    await using worker = await startTestWorker({ runtimes: [shellNamed('bound')] });
    const key = await worker.put({ 'main.sh': 'hostname' });
    const job = { key, runtime: 'bound', functionId: 'f', timeoutMs: 60_000 };
    const first = await worker.run(undefined, job);
    const bound = async () => (await worker.worker.status()).pool.runtimes.bound?.bound;
    await expect.poll(bound).toBe(1);
    const all = await containersOf('bound');
    const hosts = await Promise.all(all.map(async (name) => (await docker.getContainer(name).inspect()).Id));
    const index = hosts.findIndex((id) => id.startsWith(first.stdout.trim()));
    const name = all[index] ?? '';
    await docker.getContainer(name).kill({ signal: 'SIGSTOP' });
    // A container that waited for less than a second is not asked.
    await sleep(1_100);
    const next = await worker.run(undefined, job);
    expect(next).toMatchObject({ status: 'SUCCESS', attempt: 1 });
    expect(next.stdout).not.toBe(first.stdout);
    await gone(expect, 'bound', [name]);
  });

  test('stopped while it is idle: the code goes to another container, in the first attempt', async ({ expect }) => {
    await using worker = await startTestWorker({ runtimes: [shellNamed('idle')] });
    const names = await signalAll('idle', 'SIGSTOP');
    expect(names).toHaveLength(1);
    // More code than the pipe holds: a write must not wait for ever either.
    const files = { 'main.sh': 'echo done', 'data.bin': randomBytes(4 << 20) };
    const result = await worker.run(files, { runtime: 'idle', timeoutMs: 60_000 });
    expect(result).toMatchObject({ status: 'SUCCESS', stdout: 'done\n', attempt: 1 });
    await gone(expect, 'idle', names);
  });
});

describe('a job that floods', () => {
  test('all three of its streams: it ends at its deadline, what is kept is capped', async () => {
    await using worker = await startTestWorker({ runtimes: [shellNamed('flood')] });
    const script = 'yes >&2 & yes 1 >&3 & exec yes';
    const result = await worker.run({ 'main.sh': script }, { runtime: 'flood', timeoutMs: 3_000 });
    expect(result).toMatchObject({ errorCode: 'NG_TIMEOUT', stdoutTruncated: true, stderrTruncated: true });
    expect(result.stdout.length).toBe(1 << 20);
    const after = await worker.run({ 'main.sh': 'echo ok' }, { runtime: 'flood' });
    expect(after.stdout).toBe('ok\n');
  });

  test('with 100,000 tiny writes: every one arrives', async () => {
    await using worker = await startTestWorker({ runtimes: [shellNamed('tiny')] });
    const script = 'i=0; while [ $i -lt 100000 ]; do echo x; i=$((i+1)); done';
    const id = await worker.submit({ 'main.sh': script }, { runtime: 'tiny', timeoutMs: 200_000 });
    const result = await worker.result(id, 250_000);
    expect(result).toMatchObject({ status: 'SUCCESS', stdout: 'x\n'.repeat(100_000) });
  });
});

test('no process may be made: the job is told so, and the container goes on', async () => {
  await using raw = await startRawSupervisor({ pids: 1 });
  raw.send(configure, frame(F.COMMIT), run('true'));
  expect(numbers(await raw.next(F.DONE)).get(44)).toBe(constants.errno.EAGAIN);
  await raw.next(F.READY);
});

describe('a worker that', () => {
  test('does not read: the deadline holds all the same', async () => {
    await using raw = await startRawSupervisor();
    raw.send(configure, frame(F.COMMIT));
    await raw.next(F.READY);
    await raw.next(F.READY);
    raw.pause();
    raw.send(run('trap "" TERM; yes', { timeoutMs: 300, maxStdout: 1 << 30 }));
    // Longer than deadline and grace, by far: only the supervisor's own clock can end the job meanwhile.
    await sleep(8_000);
    raw.resume();
    const report = numbers(await raw.next(F.DONE));
    expect(report.get(42)).toBe(1);
    expect(report.get(45)).toBeLessThan(7_000_000);
    await raw.next(F.READY);
    raw.send(frame(F.PING));
    await raw.next(F.READY);
  });

  const ready = [configure, frame(F.COMMIT)];
  const put = frame(F.PUT, Buffer.concat([field(5, 'a'), field(7, 10)]));
  const outOfOrder: [string, string, Buffer[]][] = [
    ['a job before anything else', 'not configured yet', [run('true')]],
    ['a job before the code', 'a job out of order', [configure, run('true')]],
    ['a second configuration', 'configured twice', [configure, configure]],
    ['data of no file', 'data that no file waits for', [configure, frame(F.DATA, Buffer.from('x'))]],
    ['more data than announced', 'data that no file waits for', [configure, put, frame(F.DATA, Buffer.alloc(11))]],
    ['a job in the middle of a file', 'in the middle of a file', [configure, put, run('true')]],
    ['code twice', 'code committed out of order', [...ready, frame(F.COMMIT)]],
    ['a job while one runs', 'while a job runs', [...ready, run('sleep 30'), run('true')]],
    ['a ping while a job runs', 'while a job runs', [...ready, run('sleep 30'), frame(F.PING)]],
    ['a path that leads out', 'unacceptable path', [configure, frame(F.PUT, field(5, 'a/../../b'))]],
    ['a frame larger than any', 'malformed frame', [Buffer.from([6, 0, 0, 0, 255, 255, 255, 255])]],
    ['a frame of no type', 'unknown frame', [...ready, frame(0x70)]],
  ];
  test.each(outOfOrder)('sends %s: the supervisor says why and ends', async (_name, reason, frames) => {
    await using raw = await startRawSupervisor();
    raw.send(...frames);
    expect(await raw.ended()).toContain(reason);
  });

  test('cuts the stream: the container ends, and a job in it', async () => {
    await using raw = await startRawSupervisor();
    raw.send(...ready, run('echo started; sleep 60'));
    await raw.next(F.STDOUT);
    raw.input.end();
    await raw.ended();
  });
});

describe('a supervisor short of', () => {
  test('descriptors ends with the reason', async () => {
    await using raw = await startRawSupervisor({ openFiles: 24 });
    raw.send(configure, frame(F.COMMIT), run('true'));
    expect(await raw.ended()).toContain('No file descriptors');
  });

  test('space for the input ends with the reason', async () => {
    await using raw = await startRawSupervisor({ stateSize: '64k' });
    raw.send(configure, frame(F.COMMIT), run('true', { input: 'x'.repeat(200_000) }));
    expect(await raw.ended()).toContain('No space left on device');
  });

  test('memory for its own buffers ends, and does not hang', async () => {
    await using raw = await startRawSupervisor({ memoryBytes: 6 << 20 });
    raw.send(configure, frame(F.COMMIT), run('true', { input: 'x'.repeat(12 << 20) }));
    await raw.ended();
  });
});
