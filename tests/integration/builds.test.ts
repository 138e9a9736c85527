/** Programs that are built in the sandbox: compiled once, cached, and no harm from a build that misbehaves. */

import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDockerClient, defineRuntime, ImageStore } from '@nanogrid/core';
import { cpp } from '@nanogrid/runtime-cpp';
import { go } from '@nanogrid/runtime-go';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CPP_FUNCTION,
  exampleFunction,
  GO_FUNCTION,
  HOSTILE_BUILDS,
  hasty,
  maker,
  smallCpp,
  TEMPLATE_BOMB,
} from '../support/build-functions.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

const settings = {
  worker: { slots: 6, memoryMb: 4_096 },
  build: { maxArtifactBytes: 8 * 2 ** 20, maxArtifactFiles: 20 },
};
/** Ready at the start, so that no test pays for it. */
const UNBUILT = defineRuntime({
  name: 'unbuilt',
  image: 'nanogrid-test/does-not-exist:none',
  entrypoints: ['main.sh'],
  run: ['true'],
  pool: { size: 0 },
});

let directory: string;
let worker: TestWorker;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nanogrid-builds-'));
  const runtimes = [cpp({ poolSize: 0 }), go({ poolSize: 0 }), smallCpp, maker, hasty, UNBUILT];
  // So that no job waits for its image, which takes minutes where it has to be made.
  const images = new ImageStore(createDockerClient(undefined));
  for (const runtime of runtimes.slice(0, 2)) await images.ensure(runtime);
  worker = await startTestWorker({ runtimes, settings });
}, 1_200_000);

afterAll(async () => {
  await worker?.close();
  await rm(directory, { recursive: true, force: true });
});

/** How many containers were made until now, and how many artifacts were built. */
async function counts() {
  const { pool, artifactCache } = await worker.worker.status();
  return { containers: pool.transitions['creating>idle'] ?? 0, ...artifactCache };
}

/** Waits until no container is on its way: the next one that is made is made for a job. */
const settled = (runtime: string, idle: number) =>
  expect
    .poll(async () => {
      const { bound: _bound, ...others } = (await worker.worker.status()).pool.runtimes[runtime] ?? {};
      return others;
    })
    .toEqual(idle === 0 ? {} : { idle });

/** A function that the maker's build makes of a script: it says who built it, and where. */
const TOLD =
  'cat /proc/sys/kernel/random/uuid > /output/id; hostname > /output/host; echo "cat id host; hostname" > /output/main.sh';

describe('a function that is compiled', () => {
  test('is built for its first job, and only started for the next', async () => {
    const key = await worker.put(CPP_FUNCTION);
    const first = await worker.run(undefined, { key, runtime: 'cpp', functionId: 'f' });
    expect(first, first.stderr).toMatchObject({
      status: 'SUCCESS',
      runtimeVersion: expect.stringMatching(/^c\+\+20 \(g\+\+ \d+\.\d+\.\d+\)$/),
      result: { word: 'beside', twice: 42 },
      stderr: '',
      phases: { start: 'cold' },
    });
    expect(first.phases.build).toBeGreaterThan(0);
    const before = await counts();
    const second = await worker.run(undefined, { key, runtime: 'c++17', functionId: 'f' });
    expect(second).toMatchObject({ status: 'SUCCESS', result: first.result, phases: { start: 'reused' } });
    // Nothing was built, and no container made.
    expect(await counts()).toMatchObject({ misses: before.misses, containers: before.containers });
    // Another container of it takes the artifact from the disk.
    const third = await worker.run(undefined, { key, runtime: 'cpp', functionId: 'g' });
    expect(third).toMatchObject({ status: 'SUCCESS', runtimeVersion: first.runtimeVersion, phases: { start: 'cold' } });
    expect(await counts()).toMatchObject({ misses: before.misses, containers: before.containers + 1 });
  });

  test('that does not compile fails with the compiler’s words, once for all its jobs', async () => {
    const key = await worker.put({ 'main.cpp': '#include <cstdio>\nint main() {\n  return missing;\n}\n' });
    const first = await worker.run(undefined, { key, runtime: 'cpp' });
    expect(first).toMatchObject({
      status: 'FAILED',
      errorCode: 'NG_BUILD_FAILED',
      exitCode: 1,
      durationMs: 0,
      runtimeVersion: expect.stringContaining('g++'),
    });
    expect(first.errorMessage).toMatch(
      /^the code does not build: \.?\/?main\.cpp:3:10: error: .missing. was not declared/,
    );
    expect(first.stderr).toContain('main.cpp:3:10');
    expect(first.stderr).not.toContain('/function');
    const before = await counts();
    const again = await worker.run(undefined, { key, runtime: 'cpp' });
    expect(again).toMatchObject({
      errorCode: 'NG_BUILD_FAILED',
      errorMessage: first.errorMessage,
      stderr: first.stderr,
    });
    expect((await counts()).containers).toBe(before.containers);
  });

  test('may be a single source file, and gets its own input and exit code', async () => {
    const key = await worker.put(
      '#include <unistd.h>\nint main() { char c[9]; write(1, c, read(0, c, 9)); return 5; }',
      'cpp',
    );
    const result = await worker.run(undefined, { key, runtime: 'C++', input: { a: 1 } });
    expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_EXIT_CODE', exitCode: 5, stdout: '{"a":1}' });
  });

  test('with a compile-time bomb runs out of memory, alone', async () => {
    const result = await worker.run({ 'main.cpp': TEMPLATE_BOMB }, { runtime: 'cpp-small' });
    expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_OUT_OF_MEMORY', stdout: '' });
    expect(result.errorMessage).toContain('the build used more memory than its limit of 96 MiB');
  });

  test.each(['cpp', 'go'])(
    '%s: may be asked for with the handler that snake messages name for every runtime',
    async (runtime) => {
      const s3_key = await worker.put(exampleFunction(`hello-${runtime}`));
      const job_id = `snake-${runtime}`;
      const message = { job_id, runtime, s3_key, handler: 'main.handler', payload: { name: 'Ada' } };
      worker.client.queue.send(JSON.stringify(message));
      expect(await worker.result(job_id)).toMatchObject({ status: 'completed', result: { message: 'Hello, Ada!' } });
      const camel = await worker.run(undefined, { key: s3_key, runtime, handler: 'main.handler' });
      expect(camel).toMatchObject({ status: 'FAILED', errorCode: 'NG_HANDLER_INVALID' });
    },
  );

  test.each(['cpp', 'go'])('%s: finds the folders of its code that hold nothing', async (runtime) => {
    const code = {
      'main.cpp':
        '#include <fstream>\nint main() { std::ofstream("data/x/file") << 1; return std::ifstream("data/x/file").good() ? 0 : 1; }',
      'main.go':
        'package main\n\nimport "os"\n\nfunc main() {\n\tif os.WriteFile("data/x/file", nil, 0o600) != nil {\n\t\tos.Exit(1)\n\t}\n}\n',
      'data/x/': '',
    };
    expect(await worker.run(code, { runtime })).toMatchObject({ status: 'SUCCESS' });
  });

  test('Go: with its own packages, vendored and embedded ones, without a network', async () => {
    const result = await worker.run(GO_FUNCTION, { runtime: 'golang' });
    expect(result, result.stderr).toMatchObject({
      status: 'SUCCESS',
      runtimeVersion: expect.stringMatching(/^1\.\d+\.\d+$/),
      stdout: '["far" "near" "embedded" "data"]\n',
    });
  });

  test('Go: a single file, and what does not compile or is not there', async () => {
    const single = await worker.put('package main\n\nfunc main() { println("alone") }\n', 'go');
    expect(await worker.run(undefined, { key: single, runtime: 'go1.x' })).toMatchObject({
      status: 'SUCCESS',
      stderr: 'alone\n',
    });
    const wrong = await worker.run({ 'main.go': 'package main\n\nfunc main() { missing() }\n' }, { runtime: 'go' });
    expect(wrong).toMatchObject({ errorCode: 'NG_BUILD_FAILED', exitCode: 1 });
    expect(wrong.errorMessage).toBe('the code does not build: ./main.go:3:15: undefined: missing');
    const far = 'package main\n\nimport "example.test/far"\n\nfunc main() { far.Word() }\n';
    const absent = await worker.run({ 'main.go': far }, { runtime: 'go' });
    expect(absent).toMatchObject({ errorCode: 'NG_BUILD_FAILED', stderr: expect.stringContaining('example.test/far') });
  });

  test.each(['cpp', 'go'])('the example hello-%s greets', async (runtime) => {
    const job = { runtime, input: { name: 'Ada' } };
    const result = await worker.run(exampleFunction(`hello-${runtime}`), job);
    expect(result, result.stderr).toMatchObject({ status: 'SUCCESS', result: { message: 'Hello, Ada!' } });
  });
});

describe('a build', () => {
  test.each(HOSTILE_BUILDS)('that %s fails its own job', async (_what, script, errorCode, message) => {
    const key = await worker.put({ 'build.sh': `echo broken > /output/main.sh.part; rm /output/*\n${script}` });
    const runtime = errorCode === 'NG_TIMEOUT' ? 'hasty-maker' : 'maker';
    const result = await worker.run(undefined, { key, runtime });
    expect(result, result.stderr).toMatchObject({ status: 'FAILED', errorCode, durationMs: 0 });
    expect(result.errorMessage).toMatch(message);
    // One that the build took is made again meanwhile.
    await settled(runtime, runtime === 'maker' ? 1 : 0);
    const before = await counts();
    expect(await worker.run(undefined, { key, runtime })).toMatchObject({ errorCode });
    expect(await counts()).toMatchObject({ misses: before.misses, containers: before.containers });
  });

  test('is one for all who want it at once, in a container that serves no job', async () => {
    const key = await worker.put({ 'build.sh': TOLD });
    const jobs = Array.from({ length: 5 }, () => worker.run(undefined, { key, runtime: 'maker' }));
    const results = await Promise.all(jobs);
    for (const result of results) expect(result, result.errorMessage).toMatchObject({ status: 'SUCCESS' });
    const lines = results.map(({ stdout }) => stdout.trim().split('\n'));
    expect(new Set(lines.map(([id]) => id)).size).toBe(1);
    for (const [, builtIn, ranIn] of lines) expect(ranIn).not.toBe(builtIn);
  });

  test('sees nothing of the job that it is for', async () => {
    const script = '{ env; cat; } > /output/seen; echo "cat seen" > /output/main.sh';
    const job = { runtime: 'maker', input: { secret: 'hidden' }, functionId: 'named' };
    const { stdout } = await worker.run({ 'build.sh': script }, job);
    expect(stdout).toContain('COLOUR=blue');
    expect(stdout).not.toMatch(/hidden|named|JOB_ID|REQUEST_ID|PAYLOAD|FUNCTION_ID/);
  });

  test('leaves no process, and its program keeps what is executable', async () => {
    const program = '#!/bin/sh\ntest -x data || echo program; ls /proc | grep -c "^[0-9]"';
    const script = `(setsid sleep 600 &) ; printf '%s' '${program}' > /output/program; chmod 750 /output/program
echo > /output/data; chmod 640 /output/data; echo ./program > /output/main.sh`;
    const result = await worker.run({ 'build.sh': script }, { runtime: 'maker' });
    expect(result, result.stderr).toMatchObject({ status: 'SUCCESS', stdout: expect.stringMatching(/^program\n/) });
  });

  test('has room for the largest artifact, however little a job has', async () => {
    const build = { maxArtifactBytes: 40 * 2 ** 20, maxArtifactFiles: 20 };
    const roomy = defineRuntime({ ...maker, build: { command: ['sh', '{entrypoint}'], memoryMb: 512 } });
    await using one = await startTestWorker({ runtimes: [roomy], settings: { build, sandbox: { diskMb: 16 } } });
    const script =
      'head -c 40000000 /dev/zero > /tmp/big && cp /tmp/big /output/big && echo "wc -c < big; head -c 20000000 big > /tmp/x" > /output/main.sh';
    const result = await one.run({ 'build.sh': script }, { runtime: 'maker', memoryMb: 256 });
    // The job itself has what jobs have.
    expect(result, result.stderr).toMatchObject({ status: 'FAILED', stdout: '40000000\n' });
    expect(result.stderr).toContain('No space left on device');
    const most = await one.run({ 'build.sh': 'head -c 42000000 /dev/zero > /output/big' }, { runtime: 'maker' });
    expect(most).toMatchObject({
      errorCode: 'NG_BUILD_FAILED',
      errorMessage: expect.stringMatching(/larger than 41943040 bytes/),
    });
  });

  test('is used again by the next worker, unless its files are not whole', async () => {
    const workDir = join(directory, 'work');
    const outputOf = async () => {
      await using one = await startTestWorker({ runtimes: [maker], settings: { ...settings, workDir } });
      const result = await one.run(undefined, { key: await one.put(TOLD, 'sh'), runtime: 'maker' });
      expect(result.status).toBe('SUCCESS');
      // The build's own container is gone.
      const containers = async () => (await one.worker.status()).pool.runtimes.maker;
      await expect.poll(containers).toEqual({ bound: 1, idle: 1 });
      return result.stdout.split('\n')[0];
    };
    const first = await outputOf();
    expect(await outputOf()).toBe(first);
    const cache = join(workDir, 'artifact-cache');
    const [entry = ''] = (await readdir(cache)).filter((name) => name.length === 64);
    await truncate(join(cache, entry, 'files', 'id'), 3);
    const third = await outputOf();
    expect(third).toMatch(/^[0-9a-f-]{36}$/);
    expect(third).not.toBe(first);
  });

  test('that runs when the worker stops is given up, and its container goes', async () => {
    const slow = defineRuntime({ ...maker, build: { command: ['sh', '{entrypoint}'] } });
    const one = await startTestWorker({ runtimes: [slow], settings: { worker: { drainTimeoutMs: 0 } } });
    try {
      await one.submit({ 'build.sh': 'sleep 100' }, { runtime: 'maker' });
      const busy = async () => (await one.worker.status()).pool.runtimes.maker?.busy;
      await expect.poll(busy).toBe(1);
    } finally {
      await one.close();
    }
    expect(one.worker.state).toBe('stopped');
  });
});

test('an image of a runtime without idle containers is made when a job needs it', async () => {
  const result = await worker.run({ 'main.sh': '' }, { runtime: 'unbuilt' });
  expect(result).toMatchObject({ status: 'ERROR', errorCode: 'NG_IMAGE_FAILED' });
});
