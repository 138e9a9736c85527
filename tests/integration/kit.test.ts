/** The conformance kit finds fault: runtimes and functions that are broken on purpose fail the case that is theirs. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineRuntime, type Runtime } from '@nanogrid/core';
import { cpp } from '@nanogrid/runtime-cpp';
import { python } from '@nanogrid/runtime-python';
import { createKit, KitFailure, type KitOptions, testRuntime } from '@nanogrid/runtime-testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shell } from '../support/shell-runtime.js';

const REFERENCE = new URL('../../packages/runtime-testkit/reference/', import.meta.url);
const REFERENCE_SHELL = new URL('shell/', REFERENCE);
/** As it was in the process's first job. */
const FIRST_ENVIRONMENT = 'run_handler(fields[2], globals().setdefault("first", environment),';

/** Runs these cases; what each failed one said, by its id. */
async function failuresOf(options: KitOptions, ids: readonly string[]): Promise<Record<string, string>> {
  const kit = createKit(options);
  const failures: Record<string, string> = {};
  try {
    const cases = kit.cases.filter(({ id }) => ids.includes(id));
    expect(cases.map(({ id }) => id).sort()).toEqual([...ids].sort());
    for (const { id, run } of cases) {
      const error = await run().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error === undefined) continue;
      expect(error).toBeInstanceOf(KitFailure);
      failures[id] = (error as KitFailure).message;
    }
  } finally {
    await kit.close();
  }
  return failures;
}

/** The shell, started by a command that spoils something. */
const spoilt = (script: string, entrypoints = ['main.sh']): Runtime =>
  defineRuntime({
    name: 'spoilt',
    image: 'debian:trixie-slim',
    entrypoints,
    run: ['sh', '-c', script, '{entrypoint}'],
  });

describe('a runtime that', () => {
  test.each([
    ['loses PAYLOAD_FILE', 'PAYLOAD_FILE=/dev/null exec sh "$0"', ['input', 'input-large'], ['exit-code']],
    ['cuts long input', 'head -c 9000 | sh "$0"', ['input-large'], ['input']],
    ['forgets the environment', 'exec env -u JOB_ID -u PAYLOAD sh "$0"', ['environment', 'input'], ['input-large']],
    ['mixes the streams', 'exec sh "$0" 2>&1', ['exit-code'], ['unicode']],
    ['loses the exit code', 'sh "$0"; exit 0', ['exit-code'], ['unicode']],
    ['keeps only ASCII', 'sh "$0" | tr -cd "\\0-\\177"', ['unicode', 'files'], ['environment']],
    ['cuts what is printed', 'sh "$0" | head -c 9000', ['flood'], ['unicode']],
  ])('%s', async (_what, script, failing, passing) => {
    const options = { runtime: spoilt(script), functions: { script: REFERENCE_SHELL } };
    const failures = await failuresOf(options, ['hello', ...failing, ...passing]);
    expect(Object.keys(failures).sort()).toEqual([...failing].sort());
  });

  test('takes any code for its own', async () => {
    const runtime = spoilt('exec sh "$0"', ['main.sh', 'kit.unknown']);
    const failures = await failuresOf({ runtime, functions: { script: REFERENCE_SHELL } }, [
      'hello',
      'entrypoint-missing',
    ]);
    expect(Object.keys(failures)).toEqual(['entrypoint-missing']);
  });
});

describe('a shim that', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nanogrid-kit-test-'));
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Python with another shim. */
  async function options(...changes: readonly (readonly [find: string, replace: string])[]): Promise<KitOptions> {
    const runtime = python({ preload: [] });
    const files: Record<string, string> = {};
    const texts = Object.entries(runtime.warm?.files ?? {}).map(async ([name, path]) => [
      name,
      await readFile(path, 'utf8'),
    ]);
    const shim: Record<string, string> = Object.fromEntries(await Promise.all(texts));
    for (const [find, replace] of changes) {
      const [name = ''] = Object.keys(shim).filter((one) => shim[one]?.includes(find));
      expect(Object.keys(shim), find).toContain(name);
      shim[name] = (shim[name] ?? '').replace(find, replace);
    }
    for (const [name, text] of Object.entries(shim)) {
      files[name] = join(folder, name);
      await writeFile(files[name], text);
    }
    const warm = { ...runtime.warm, command: runtime.warm?.command ?? [], files };
    const functions = { script: new URL('python/', REFERENCE), handler: { name: 'main.handler' } };
    return { runtime: { ...runtime, warm }, functions };
  }

  test('can become root again, mixes ids up, leaks', async () => {
    const broken = await options(
      ['os.setresuid(uid, uid, uid)', 'os.setresuid(uid, uid, 0)'],
      ['environment.get("FUNCTION_ID", "")', '"another"'],
      ['control.send(b"EXIT', 'globals().setdefault("leak", []).append(b"x" * 300000); control.send(b"EXIT'],
    );
    const failing = ['handler-context', 'in-a-row', 'privileges'];
    const failures = await failuresOf(broken, ['hello', 'handler-value', ...failing]);
    expect(Object.keys(failures).sort()).toEqual(failing);
    expect(failures['in-a-row']).toContain('MiB are allowed');
  });

  test.each([
    ['keeps no process', 'identity() != me', 'True', 'the count is 2'],
    [
      'tells a kept handler of its first job',
      'run_handler(fields[2], environment,',
      FIRST_ENVIRONMENT,
      'jobId is kit-',
    ],
  ])('%s', async (_what, find, replace, expected) => {
    const failures = await failuresOf(await options([find, replace]), ['handler-context', 'handler-kept']);
    expect(Object.keys(failures)).toEqual(['handler-kept']);
    expect(failures['handler-kept']).toContain(`expected: ${expected}`);
  });
});

describe('a build that', () => {
  test.each([
    ['checks the code', 'sh -n main.sh && cp -r . /output', undefined],
    ['lets everything pass', 'cp -r . /output', 'the job ends with FAILED and NG_BUILD_FAILED'],
    ['says nothing', 'sh -n main.sh 2>/dev/null && cp -r . /output', 'standard error has what the compiler said'],
  ])('%s', async (_what, script, expected) => {
    const runtime = defineRuntime({
      name: 'built',
      image: 'debian:trixie-slim',
      entrypoints: ['main.sh'],
      build: { command: ['sh', '-c', script] },
      run: ['sh', '{entrypoint}'],
    });
    const functions = { script: REFERENCE_SHELL, broken: { 'main.sh': '(' } };
    const failures = await failuresOf({ runtime, functions }, ['hello', 'build-error']);
    expect(Object.keys(failures)).toEqual(expected === undefined ? [] : ['build-error']);
    if (expected !== undefined) expect(failures['build-error']).toContain(`expected: ${expected}`);
  });
});

test('functions that do not do what they are asked to', async () => {
  let main = await readFile(new URL('main.sh', REFERENCE_SHELL), 'utf8');
  for (const op of ['hold', 'hang', 'fork-bomb', 'leave']) {
    const changed = main.replace(`\n${op})`, `\n${op}) echo 1; exit 0;;\nno-${op})`);
    expect(changed).not.toBe(main);
    main = changed;
  }
  const failing = ['fork-bomb', 'leftovers', 'out-of-memory', 'peak-memory', 'timeout'];
  const options = { runtime: shell, functions: { script: { 'main.sh': main } } };
  const failures = await failuresOf(options, ['hello', ...failing]);
  expect(Object.keys(failures).sort()).toEqual(failing);
  expect(failures.timeout).toContain(
    [
      '  asked:    the script, with the input "hang"',
      '  expected: the job ends with FAILED and NG_TIMEOUT',
      '  got:      SUCCESS, exit code 0, result 1, stdout "1\\n"',
      '  look at:  the operation "hang" of the script: it starts a process and neither ends',
    ].join('\n'),
  );
});

describe('what applies', () => {
  const functions = { script: REFERENCE_SHELL };
  const idsOf = (options: KitOptions) => createKit(options).cases.map(({ id }) => id);

  test('is told by what the runtime supports', () => {
    const plain = idsOf({ runtime: shell, functions });
    expect(plain).toContain('hello');
    expect(plain.filter((id) => /handler|build/.test(id))).toEqual([]);
    const all = { handlers: true, build: true, keptHandlers: true };
    const given = { ...functions, handler: { name: 'main.handler' }, broken: { 'main.sh': '(' } };
    const more = idsOf({ runtime: shell, functions: given, supports: all }).filter((id) => !plain.includes(id));
    expect(more.sort()).toEqual([
      'build-error',
      'handler-context',
      'handler-failure',
      'handler-fresh',
      'handler-kept',
      'handler-value',
    ]);
    const own = idsOf({ runtime: python(), functions: given });
    expect(own).toEqual(expect.arrayContaining(['handler-value', 'handler-kept']));
    expect(own).not.toContain('build-error');
    expect(idsOf({ runtime: cpp(), functions: given })).toContain('build-error');
  });

  test('a function that is missing is told at once', () => {
    expect(() => createKit({ runtime: python(), functions })).toThrow(/"python" supports handlers.*functions\.handler/);
    expect(() => createKit({ runtime: shell, functions, supports: { build: true } })).toThrow(/functions\.broken/);
  });

  test('every case is a test of its own, with the runtime’s name', () => {
    const names: string[] = [];
    let afterwards = 0;
    testRuntime({ runtime: shell, functions, test: (name) => names.push(name), after: () => afterwards++ });
    expect(names[0]).toBe('shell: the image is there, and a container gets ready');
    expect(names.at(-1)).toBe('shell: nothing is left on the engine');
    expect(new Set(names).size).toBe(idsOf({ runtime: shell, functions }).length);
    expect(afterwards).toBe(1);
  });

  test('an engine that does not answer fails every case with the worker’s own error', async () => {
    const kit = createKit({ runtime: shell, functions, dockerHost: 'unix:///nonexistent/docker.sock' });
    for (const { run } of kit.cases.slice(0, 2)) {
      await expect(run()).rejects.toMatchObject({ code: 'NG_DOCKER_UNAVAILABLE' });
    }
    await kit.close();
  });
});
