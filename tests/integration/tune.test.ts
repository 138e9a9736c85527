/** `nanogrid tune` as a person uses it: its own process, real containers, on this machine and on a controller's workers. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { createDockerClient, DockerEngine } from '@nanogrid/core';
import { python } from '@nanogrid/runtime-python';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startTestController } from '../support/test-controller.js';
import { startTestWorker } from '../support/test-worker.js';

const BIN = fileURLToPath(new URL('../../packages/cli/dist/bin.js', import.meta.url));
const engine = new DockerEngine(createDockerClient(process.env.DOCKER_HOST));
const POLL = { interval: 50, timeout: 200_000 };
/** What a run says of itself is what the kernel holds its container to, in cgroup v1 or v2. */
const FUNCTION = `import os, time

def quota():
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:
            quota, period = file.read().split()
    except FileNotFoundError:
        with open("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") as file:
            quota = file.read()
        with open("/sys/fs/cgroup/cpu/cpu.cfs_period_us") as file:
            period = file.read()
    return int(quota) / int(period)

def handler(event, context):
    limit = context.memory_limit_in_mb
    if event.get("sleep"):
        time.sleep(event["sleep"])
    if str(limit) in event.get("hold", {}):
        hold = bytearray(event["hold"][str(limit)] << 20)
    if limit in event.get("hang", []):
        time.sleep(600)
    if limit in event.get("raise", []):
        raise ValueError(f"not with {limit}")
    if "cpus" in event and abs(quota() - event["cpus"]) > 0.001:
        raise ValueError(f"{quota()} processors")
    return limit
`;

let folder: string;
/** Its TMPDIR: what the command leaves there is found. */
let temporary: string;
const started = new Set<ChildProcess>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nanogrid-tune-test-'));
  temporary = join(folder, 'temporary');
  await mkdir(temporary);
  await mkdir(join(folder, 'sized'));
  await writeFile(join(folder, 'sized', 'main.py'), FUNCTION);
  await describeFolder();
  // The first one to need the image builds it; the commands below have less time than that takes.
  expect((await launch('images', 'build', 'python').ended).exitCode).toBe(0);
}, 1_200_000);

afterEach(async () => {
  const ends = [...started].map((child) => once(child, 'close'));
  for (const child of started) child.kill('SIGKILL');
  await Promise.all(ends);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** What the folder says of its function, and more. */
function describeFolder(more: object = {}): Promise<void> {
  const described = { name: 'kept', handler: 'main.handler', memory_mb: 99, ...more };
  return writeFile(join(folder, 'sized', 'function.json'), JSON.stringify(described));
}

function launch(...argv: string[]) {
  const env = { ...process.env, NANOGRID_ENV: '', NO_COLOR: '', TMPDIR: temporary, HOME: folder };
  const child = spawn(process.execPath, [BIN, ...argv], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  started.add(child);
  child.once('close', () => started.delete(child));
  const ended = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]).then(
    ([[exitCode], out, err]) => ({ exitCode: exitCode as number | null, out, err }),
  );
  return { child, ended };
}

const tune = (input: object, ...argv: string[]) => launch('tune', 'sized', '--input', JSON.stringify(input), ...argv);

/** Names of the containers that a process of this id made. */
async function containersOf({ pid }: ChildProcess): Promise<string[]> {
  const all = await engine.list('nanogrid.role=job');
  return all.filter(({ labels }) => labels['nanogrid.process']?.startsWith(`${pid}.`)).map(({ name }) => name);
}

test('sizes that fail are shown with their reason, the others with what they take and cost, and nothing is left', async () => {
  const input = { hold: { 64: 200 }, hang: [96], raise: [128] };
  const { child, ended } = tune(
    input,
    ...['--memory', '512,64,96,128,256', '--runs', '2', '--timeout', '5000', '--for', 'cost', '--json'],
    ...['--price', '0.00002', '--currency', 'EUR', '--svg', 'sized.svg'],
  );
  const { exitCode, out, err } = await ended;
  expect(err).toContain('64 MiB, 1 CPU: the function used more memory than its limit of 64 MiB');
  expect(exitCode).toBe(0);
  const found = JSON.parse(out);
  expect(found).toMatchObject({
    function: 'sized',
    for: 'cost',
    price: { perGbSecond: 0.00002, currency: 'EUR' },
    sizes: [
      { memoryMb: 64, status: 'failed', errorCode: 'NG_OUT_OF_MEMORY', timesMs: [] },
      { memoryMb: 96, status: 'failed', errorCode: 'NG_TIMEOUT', timesMs: [] },
      { memoryMb: 128, status: 'failed', errorCode: 'NG_EXIT_CODE' },
      { memoryMb: 256, status: 'ok', cpus: 1, timesMs: [expect.any(Number), expect.any(Number)], tight: false },
      { memoryMb: 512, status: 'ok', peakMemoryBytes: expect.any(Number) },
    ],
  });
  for (const { memoryMb, timesMs, medianMs, costPerMillionRuns } of found.sizes.slice(3)) {
    expect(medianMs).toBeCloseTo((timesMs[0] + timesMs[1]) / 2, 9);
    expect(costPerMillionRuns).toBeCloseTo((memoryMb / 1_024) * (medianMs / 1_000) * 0.00002 * 1_000_000, 9);
  }
  expect([256, 512]).toContain(found.recommended.memoryMb);
  expect(found.recommended).toEqual(found.best.cost);
  const svg = await readFile(join(folder, 'sized.svg'), 'utf8');
  expect(svg.match(/<circle class="point"/g)).toHaveLength(2);
  expect(svg).toContain('64 MiB, 1 CPU (out of memory), 96 MiB, 1 CPU (time-out)');
  expect(await containersOf(child)).toEqual([]);
  expect(await readdir(temporary)).toEqual([]);
});

test('processors are those that were asked for, and cost what comes with them', async () => {
  for (const cpus of [0.25, 0.5]) {
    const { exitCode, out, err } = await tune(
      { cpus },
      ...['--memory', '64', '--cpus', String(cpus), '--runs', '1', '--json'],
    ).ended;
    expect({ exitCode, err }).toMatchObject({ exitCode: 0 });
    const { sizes, price } = JSON.parse(out);
    const [{ medianMs, costPerMillionRuns }] = sizes;
    expect(sizes).toMatchObject([{ memoryMb: 64, cpus, status: 'ok' }]);
    const paidGb = (cpus * 1_769) / 1_024;
    expect(costPerMillionRuns).toBeCloseTo(paidGb * (medianMs / 1_000) * price.perGbSecond * 1_000_000, 9);
  }
});

test('a person sees a table, a chart and the best for each goal; a function that always fails ends as run does', async () => {
  await writeFile(join(folder, 'event.json'), '{}');
  const well = await launch('tune', 'sized', '--input-file', 'event.json', '--memory', '64,128', '--runs', '1').ended;
  expect(well).toMatchObject({ exitCode: 0 });
  expect(well.out).toMatch(/^A {2}64 MiB +1 /m);
  expect(well.out).toContain('median time of a run');
  expect(well.out).toMatch(/^balance .* <- recommended$/m);
  const failed = await tune({ hang: [64, 128] }, '--memory', '64,128', '--runs', '1', '--timeout', '300').ended;
  expect(failed.exitCode).toBe(124);
  expect(failed.out).toContain('No size can be recommended: the function failed at each.');
});

test('what cannot be is refused before anything runs', async () => {
  const { processors } = await engine.info();
  const share = await tune({}, '--memory', '64', '--cpus', String(processors + 1)).ended;
  expect(share).toMatchObject({
    exitCode: 2,
    err: expect.stringContaining(`The Docker engine has ${processors} processors`),
  });
  const memory = await tune({}, '--memory', '64,999999').ended;
  expect(memory.exitCode).toBe(2);
  expect(memory.err).toContain('999999');
  const many = await tune({}, '--memory', Array.from({ length: 101 }, (_, size) => 64 + size).join(',')).ended;
  expect(many).toMatchObject({ exitCode: 2, err: expect.stringContaining('at most 100') });
  expect(await readdir(temporary)).toEqual([]);
});

test('Ctrl-C takes everything away', async () => {
  const { child, ended } = tune({ sleep: 600 }, '--memory', '64');
  await expect.poll(() => containersOf(child), POLL).toHaveLength(1);
  child.kill('SIGINT');
  expect(await ended).toMatchObject({ exitCode: 130, out: '' });
  expect(await containersOf(child)).toEqual([]);
  expect(await readdir(temporary)).toEqual([]);
});

test('on a controller’s workers: a temporary function for each size, and none is left, also after Ctrl-C', async () => {
  const runtimes = [python({ preload: [] })];
  await using worker = await startTestWorker({ runtimes });
  const controller = await startTestController({ dataDir: worker.dataDir, runtimes });
  try {
    const names = async () => {
      const { answer } = await controller.call('GET', '/functions');
      return answer.functions.map((one: { function_name: string }) => one.function_name);
    };
    const server = ['--server', controller.address];
    // The function that the folder is deployed as is left alone.
    const kept = (await launch('deploy', 'sized', ...server).ended).out.trim();
    expect(await names()).toEqual(['kept']);
    await describeFolder({ function_id: kept });
    const sizes = ['--memory', '64,128', '--runs', '1'];
    const { exitCode, out, err } = await tune({ hold: { 64: 200 } }, ...sizes, ...server, '--json').ended;
    expect({ exitCode, err }).toMatchObject({ exitCode: 0 });
    expect(JSON.parse(out)).toMatchObject({
      sizes: [
        { memoryMb: 64, status: 'failed', errorCode: 'NG_OUT_OF_MEMORY' },
        { memoryMb: 128, status: 'ok', timesMs: [expect.any(Number)], peakMemoryBytes: expect.any(Number) },
      ],
      recommended: { memoryMb: 128 },
    });
    expect(await names()).toEqual(['kept']);
    expect((await controller.call('GET', `/functions/${kept}`)).answer).toMatchObject({ version: 1, memory_mb: 99 });

    // By its name, where nothing lies at such a path: the code and the settings that the controller has.
    const named = ['kept', '--input', '{}', ...sizes, ...server];
    const registered = await launch('tune', ...named, '--json').ended;
    expect(registered, registered.err).toMatchObject({ exitCode: 0 });
    expect(JSON.parse(registered.out)).toMatchObject({
      function: 'kept',
      sizes: [
        { memoryMb: 64, status: 'ok' },
        { memoryMb: 128, status: 'ok' },
      ],
    });
    expect(await launch('tune', ...named, '--handler', 'main.handler').ended).toMatchObject({ exitCode: 2 });
    expect(await launch('tune', 'nobody', ...server).ended).toMatchObject({ exitCode: 4 });
    expect(await names()).toEqual(['kept']);

    const long = tune({ sleep: 600 }, '--memory', '64', ...server);
    await expect.poll(async () => (await worker.worker.status()).activeJobs, POLL).toBe(1);
    expect(await names()).toEqual(expect.arrayContaining([expect.stringMatching(/^tune-sized-64-/)]));
    long.child.kill('SIGINT');
    expect((await long.ended).exitCode).toBe(130);
    expect(await names()).toEqual(['kept']);
    await expect.poll(async () => (await worker.worker.status()).activeJobs, POLL).toBe(0);
    expect(await readdir(temporary)).toEqual([]);
  } finally {
    await describeFolder();
    await controller.close();
  }
});
