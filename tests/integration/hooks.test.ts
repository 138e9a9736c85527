/** The five hooks around a real job: their order, what each may do, and what becomes of a tap that throws. */

import { definePlugin, NanoGridError } from '@nanogrid/core';
import { describe, expect, test } from 'vitest';
import { shell } from '../support/shell-runtime.js';
import { startTestWorker } from '../support/test-worker.js';

const base = { version: '1.0.0', core: '^0.1.0', optionsSchema: { type: 'object', properties: {} } } as const;
const options = { runtime: 'shell' };

test('are called in order, each with what it may see and change', async () => {
  const calls: string[] = [];
  const plugin = definePlugin({
    ...base,
    name: 'observer',
    apply({ hooks }) {
      hooks.beforeFetch.tap('t', (job) => {
        calls.push(`beforeFetch ${job.runtime}`);
        return undefined;
      });
      hooks.afterExtract.tapPromise('t', async (_job, code) => {
        calls.push(`afterExtract ${code.files.map(({ path }) => path)}`);
      });
      hooks.beforeExec.tap('t', (spec) => {
        calls.push('beforeExec');
        const workFiles = [{ path: '.usage.jsonl', maxBytes: 10 }];
        return { ...spec, env: { ...spec.env, ADDED: 'by a plugin' }, workFiles };
      });
      hooks.afterExec.tap('t', (result, report) => {
        calls.push(`afterExec ${Buffer.from(report.workFiles.get('.usage.jsonl') ?? '')}`);
        return { ...result, optimizationTip: 'a tip' };
      });
      hooks.onResult.tap('t', (result) => {
        calls.push(`onResult ${result.optimizationTip} ${Object.isFrozen(result)}`);
      });
    },
  });
  await using worker = await startTestWorker({ runtimes: [shell], plugins: [plugin()] });
  const result = await worker.run({ 'main.sh': 'echo "$ADDED"; echo 0123456789abcdef > .usage.jsonl' }, options);
  expect(result).toMatchObject({ status: 'SUCCESS', stdout: 'by a plugin\n', optimizationTip: 'a tip' });
  expect(calls).toEqual([
    'beforeFetch shell',
    'afterExtract main.sh',
    'beforeExec',
    'afterExec 0123456789',
    'onResult a tip true',
  ]);
});

test('beforeFetch may answer instead of running the job', async () => {
  const plugin = definePlugin({
    ...base,
    name: 'cache',
    apply: ({ hooks }) => hooks.beforeFetch.tap('t', () => ({ status: 'SUCCESS', result: 'cached' })),
  });
  await using worker = await startTestWorker({ runtimes: [shell], plugins: [plugin()] });
  const result = await worker.run(undefined, { ...options, key: 'not/even/there.zip' });
  expect(result).toMatchObject({ status: 'SUCCESS', result: 'cached', durationMs: 0 });
});

describe('a tap that throws', () => {
  const throwing = (hook: 'beforeFetch' | 'afterExtract' | 'beforeExec' | 'afterExec' | 'onResult', error: Error) =>
    definePlugin({
      ...base,
      name: 'broken',
      apply({ hooks }) {
        const fail = () => {
          throw error;
        };
        hooks[hook].tap('t', fail as never);
      },
    })();

  test.each(['beforeFetch', 'afterExtract', 'beforeExec'] as const)(
    'in %s fails the job as the platform',
    async (hook) => {
      await using worker = await startTestWorker({ runtimes: [shell], plugins: [throwing(hook, new Error('oops'))] });
      const result = await worker.run({ 'main.sh': 'echo never' }, options);
      expect(result).toMatchObject({ status: 'ERROR', errorCode: 'NG_PLUGIN_FAILED', attempt: 3 });
      expect(result.errorMessage).toMatch(new RegExp(`broken.*${hook}.*oops`));
    },
  );

  test('in afterExtract with an error of the user’s side refuses the code', async () => {
    const refusal = new NanoGridError('NG_ARCHIVE_UNSAFE', 'no shell scripts here');
    await using worker = await startTestWorker({ runtimes: [shell], plugins: [throwing('afterExtract', refusal)] });
    const result = await worker.run({ 'main.sh': 'echo never' }, options);
    expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_ARCHIVE_UNSAFE', attempt: 1 });
  });

  test('in afterExec is recorded on the result, and the job completes', async () => {
    await using worker = await startTestWorker({
      runtimes: [shell],
      plugins: [throwing('afterExec', new Error('oops'))],
    });
    const result = await worker.run({ 'main.sh': 'echo fine' }, options);
    expect(result).toMatchObject({ status: 'SUCCESS', stdout: 'fine\n' });
    expect(result.pluginErrors).toEqual([{ plugin: 'broken', hook: 'afterExec', message: 'oops' }]);
  });

  test('in onResult does not reach the other sinks', async () => {
    await using worker = await startTestWorker({
      runtimes: [shell],
      plugins: [throwing('onResult', new Error('oops'))],
    });
    expect((await worker.run({ 'main.sh': 'echo fine' }, options)).status).toBe('SUCCESS');
  });
});

test('a required sink is tried again until the result is safe, and only then is the message deleted', async () => {
  let failures = 2;
  const delivered: string[] = [];
  const plugin = definePlugin({
    ...base,
    name: 'sink',
    apply: ({ hooks }) =>
      hooks.onResult.tapPromise({ name: 't', required: true }, async ({ requestId }) => {
        if (failures-- > 0) throw new Error('not yet');
        delivered.push(requestId);
      }),
  });
  await using worker = await startTestWorker({ runtimes: [shell], plugins: [plugin()] });
  const { requestId } = await worker.run({ 'main.sh': 'echo fine' }, options);
  await expect.poll(() => delivered).toEqual([requestId]);
  await expect.poll(async () => (await worker.client.queue.stats()).inFlight).toBe(0);
});
