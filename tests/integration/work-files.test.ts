/** Files of the working directory that a plugin asks for, as a hostile job may leave them: nothing foreign is read, nothing blocks, what is too long is cut. */

import { definePlugin } from '@nanogrid/core';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attacks, LOOK_AROUND } from '../support/attack.js';
import { shell } from '../support/shell-runtime.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

const MIB = 2 ** 20;
const FILE = '.llm_usage_stats.jsonl';

let worker: TestWorker;
/** What the plugin found, by job. */
const found = new Map<string, ReadonlyMap<string, Buffer>>();

const reader = definePlugin({
  name: 'reader',
  version: '1.0.0',
  core: '^0.1.0',
  optionsSchema: { type: 'object', properties: {} },
  apply({ hooks }) {
    const paths = [FILE, 'folder/passwd', 'deep/etc/passwd'];
    hooks.beforeExec.tap('ask', (spec) => ({ ...spec, workFiles: paths.map((path) => ({ path, maxBytes: MIB })) }));
    hooks.afterExec.tap('read', (result, { workFiles }) => {
      const copies = [...workFiles].map(([path, content]) => [path, Buffer.from(content)] as const);
      found.set(result.requestId, new Map(copies));
      return result;
    });
  },
});

beforeAll(async () => {
  worker = await startTestWorker({ runtimes: [python(), shell], plugins: [reader()] });
});

afterAll(async () => {
  await worker?.close();
});

describe.each(['shell', 'python'] as const)('%s', (runtime) => {
  let key: string;

  // One container serves all attacks of a runtime, one after the other: each meets what the one before left.
  beforeAll(async () => {
    key = await worker.put(await attacks('usage', runtime));
    await worker.run(undefined, { key, runtime, functionId: 'usage', input: LOOK_AROUND });
  });

  /** What the plugin finds after the job, and after the next one in the same container, which writes nothing. */
  async function run(name: string) {
    const job = { key, runtime, functionId: 'usage', timeoutMs: 90_000 };
    const result = await worker.run(undefined, { ...job, input: name });
    expect(result).toMatchObject({ status: 'SUCCESS', stdout: '', stderr: '', phases: { start: 'reused' } });
    const after = await worker.run(undefined, { ...job, input: LOOK_AROUND });
    expect(after).toMatchObject({ status: 'SUCCESS', stdout: '', phases: { start: 'reused' } });
    expect(found.get(after.requestId)).toEqual(new Map());
    return found.get(result.requestId);
  }

  test.each(['symlink', 'symlinked-parent', 'hard-link', 'fifo', 'fifo-000', 'socket', 'directory', 'missing'])(
    '%s: is as if there were no file',
    async (name) => {
      expect(await run(name)).toEqual(new Map());
    },
  );

  test('a sparse file of 5 GB is cut', async () => {
    expect((await run('sparse'))?.get(FILE)?.equals(Buffer.alloc(MIB))).toBe(true);
  });

  test('a line of 100 MB is cut', async () => {
    expect((await run('long-line'))?.get(FILE)?.equals(Buffer.alloc(MIB, 'x'))).toBe(true);
  });

  test('a file without any permission is read: it is the job’s own', async () => {
    expect(await run('mode-000')).toEqual(new Map([[FILE, Buffer.from('mine\n')]]));
  });

  test('a file that is written and swapped with a link until the end is the job’s own, or none', async () => {
    for (let round = 0; round < 3; round++) {
      expect((await run('growing'))?.get(FILE)?.toString() ?? '').toMatch(/^(mine\n)*$/);
    }
  });

  test('what the job before left is not there', async () => {
    expect(await run('left-over')).toEqual(new Map([[FILE, Buffer.from('mine\n')]]));
  });
});
