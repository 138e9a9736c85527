import { setMaxListeners } from 'node:events';
import { afterEach, expect, test, vi } from 'vitest';
import { LocalDatabase } from './database.js';
import { ResultsTable } from './results-table.js';
import {
  CHILD_TEST_MS,
  ManualClock,
  makeFolder,
  makeLocal,
  makeResult,
  never,
  runChild,
  slowTimers,
} from './support.test.util.js';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test('publishes once per id, in the dialect of the job', async () => {
  const { results } = await makeLocal();
  expect(await results.publish(makeResult('a', { result: { sum: 3 } }), 'camel')).toBe(true);
  expect(await results.publish(makeResult('a', { status: 'FAILED' }), 'camel')).toBe(false);
  expect(await results.get('a')).toMatchObject({ state: 'completed', result: { requestId: 'a', result: { sum: 3 } } });
  const failed = makeResult('b', { status: 'ERROR', errorCode: 'NG_CODE_NOT_FOUND', errorMessage: 'It is gone.' });
  expect(await results.publish(failed, 'snake')).toBe(true);
  expect(await results.get('b')).toMatchObject({
    state: 'failed',
    result: { job_id: 'b', status: 'failed', error: 'It is gone.', error_code: 'NG_CODE_NOT_FOUND' },
  });
  expect(await results.get('c')).toBeUndefined();
});

test('of two stores that publish at once one wins, for each id', async () => {
  const directory = await makeFolder();
  const left = await makeLocal({ directory });
  const right = await makeLocal({ directory });
  const ids = Array.from({ length: 200 }, (_, index) => `job-${index}`);
  const won = await Promise.all(
    ids.map((id) =>
      Promise.all([
        left.results.publish(makeResult(id), 'camel'),
        right.results.publish(makeResult(id), 'camel'),
        left.results.publish(makeResult(id), 'snake'),
      ]),
    ),
  );
  expect(won.every((outcomes) => outcomes.filter(Boolean).length === 1)).toBe(true);
});

test('progress leads to the final state and never away from it', async () => {
  const { results } = await makeLocal();
  await results.progress('a', 'pending');
  expect(await results.get('a')).toEqual({ state: 'pending' });
  await results.progress('a', 'running');
  expect(await results.get('a')).toEqual({ state: 'running' });
  await results.publish(makeResult('a'), 'camel');
  await results.progress('a', 'running');
  expect(await results.get('a')).toMatchObject({ state: 'completed' });
});

test('a job is begun until its result is known', async () => {
  const { results } = await makeLocal();
  const begun = await results.begin('a');
  expect(begun).toMatchObject({ kind: 'run' });
  // Noted a turn later, when the job is on its way.
  expect(await results.get('a')).toBeUndefined();
  await expect.poll(() => results.get('a')).toEqual({ state: 'running' });
  expect(await results.begin('a')).toMatchObject({ kind: 'run' });
  await results.publish(makeResult('a', { status: 'ERROR' }), 'camel');
  expect(await results.begin('a')).toEqual({ kind: 'finished' });
  expect(await results.get('a')).toMatchObject({ state: 'failed' });
});

test('keeps any text a function may print', async () => {
  const { results } = await makeLocal();
  const stdout = '\0\u001b[31m"\\\u2028𝄞\r\n\ufffd';
  await results.publish(makeResult('a', { stdout }), 'camel');
  expect(await results.get('a')).toMatchObject({ result: { stdout } });
});

test('a wait gets a result that came before it, during it, and for several waiters', async () => {
  const { results } = await makeLocal();
  await results.publish(makeResult('before'), 'camel');
  expect(await results.wait('before', never)).toMatchObject({ requestId: 'before' });
  const both = Promise.all([results.wait('during', never), results.wait('during', never)]);
  const other = results.wait('other', never);
  await results.progress('during', 'running');
  await results.publish(makeResult('during'), 'camel');
  expect(await both).toMatchObject([{ requestId: 'during' }, { requestId: 'during' }]);
  await results.publish(makeResult('other'), 'snake');
  expect(await other).toMatchObject({ job_id: 'other' });
});

test('a wait for a job that is new looks nothing up, and hears of its result from wherever it comes', async () => {
  const directory = await makeFolder();
  const [here, there] = [await makeLocal({ directory }), await makeLocal({ directory })];
  const looks = vi.spyOn(ResultsTable.prototype, 'get');
  const waiting = here.results.wait('a', never, { isNew: true });
  await here.results.publish(makeResult('a'), 'camel');
  expect(await waiting).toMatchObject({ requestId: 'a' });
  expect(looks).not.toHaveBeenCalled();
  const other = here.results.wait('b', never, { isNew: true });
  await there.results.publish(makeResult('b'), 'camel');
  expect(await other).toMatchObject({ requestId: 'b' });
});

test('a result of this process ends its wait at once, however recently another one came', async () => {
  const { results } = await makeLocal();
  const other = results.wait('never published', AbortSignal.timeout(1_000));
  await results.publish(makeResult('one'), 'camel');
  let isThere = false;
  const waiting = results.wait('two', never).then(() => {
    isThere = true;
  });
  await new Promise(setImmediate);
  await results.publish(makeResult('two'), 'camel');
  await new Promise(setImmediate);
  expect(isThere).toBe(true);
  await waiting;
  expect(await other).toBeUndefined();
});

test('no order of publishing and waiting misses a result', async () => {
  const { results } = await makeLocal();
  for (let round = 0; round < 300; round += 1) {
    const id = `race-${round}`;
    const publish = async () => {
      for (let turn = 0; turn < round % 7; turn += 1) await Promise.resolve();
      await results.publish(makeResult(id), 'camel');
    };
    const order = round % 2 === 0 ? [publish(), results.wait(id, never)] : [results.wait(id, never), publish()];
    await Promise.all(order);
  }
});

test('a wait ends promptly when aborted, and with an error when the store closes', async () => {
  const local = await makeLocal();
  const abort = new AbortController();
  const waiting = local.results.wait('a', abort.signal);
  abort.abort();
  expect(await waiting).toBeUndefined();
  expect(await local.results.wait('a', abort.signal)).toBeUndefined();
  const open = local.results.wait('a', never);
  const rejected = expect(open).rejects.toMatchObject({ code: 'NG_RESULT_STORE_FAILED' });
  await local.close();
  await rejected;
  await expect(local.results.wait('a', never)).rejects.toMatchObject({ code: 'NG_RESULT_STORE_FAILED' });
  await expect(local.results.publish(makeResult('a'), 'camel')).rejects.toMatchObject({
    code: 'NG_RESULT_STORE_FAILED',
  });
});

test('results expire, are published anew afterwards, and are deleted a batch at a time', async () => {
  const directory = await makeFolder();
  const clock = new ManualClock();
  const { results } = await makeLocal({ directory, clock, resultTtlMs: 1_000 });
  await results.publish(makeResult('a'), 'camel');
  await results.progress('b', 'running');
  clock.wall += 999;
  expect(await results.get('a')).toBeDefined();
  clock.wall += 1;
  expect(await results.get('a')).toBeUndefined();
  expect(await results.get('b')).toBeUndefined();
  expect(await results.publish(makeResult('a', { attempt: 2 }), 'camel')).toBe(true);
  expect(await results.get('a')).toMatchObject({ result: { attempt: 2 } });

  for (let index = 0; index < 250; index += 1) await results.publish(makeResult(`old-${index}`), 'camel');
  clock.wall += 20_000;
  const database = new LocalDatabase({ path: `${directory}/local.db` });
  await database.open();
  const rows = () => database.attempt('NG_INTERNAL', 'count', () => database.sql('SELECT count(*) FROM results').get());
  const counts: unknown[] = [await rows()];
  for (let index = 0; index < 3; index += 1) {
    await results.publish(makeResult(`new-${index}`), 'camel');
    counts.push(await rows());
  }
  database.close();
  expect(counts).toEqual([[252], [153], [54], [3]]);
});

test('a wake costs what is new, however many wait', async () => {
  // No look but those that wakes cause.
  vi.useFakeTimers({ toFake: ['setInterval'] });
  const directory = await makeFolder();
  const [here, there] = [await makeLocal({ directory }), await makeLocal({ directory })];
  const ids = Array.from({ length: 500 }, (_, n) => `job-${n}`);
  const signal = new AbortController().signal;
  // 500 waits listen to it.
  setMaxListeners(0, signal);
  const waits = ids.map((id) => here.results.wait(id, signal));
  await here.results.get('job-0');
  const looks = vi.spyOn(ResultsTable.prototype, 'get');
  for (const id of ids) await there.results.publish(makeResult(id), 'camel');
  const found = await Promise.all(waits);
  expect(found.map((result) => result?.requestId)).toEqual(ids);
  expect(looks.mock.calls.map(([id]) => id).sort()).toEqual([...ids].sort());
});

test('a result is found after the clock was set back and all others have expired', async () => {
  vi.useFakeTimers({ toFake: ['setInterval'] });
  const directory = await makeFolder();
  const clock = new ManualClock();
  const [here, there] = [await makeLocal({ directory, clock }), await makeLocal({ directory, clock })];
  await there.results.publish(makeResult('before'), 'camel');
  const waiting = here.results.wait('after', never);
  await here.results.get('after');
  const database = new LocalDatabase({ path: `${directory}/local.db` });
  await database.open();
  await database.attempt('NG_INTERNAL', 'delete', () => database.sql('DELETE FROM results').run());
  database.close();
  clock.wall -= 3_600_000;
  await there.results.publish(makeResult('after'), 'camel');
  vi.advanceTimersByTime(10_000);
  expect(await waiting).toMatchObject({ requestId: 'after' });
});

test(
  'a result published by another process ends a wait long before the slow look',
  async () => {
    const directory = await makeFolder();
    const { results } = await makeLocal({ directory });
    const publisher = runChild(
      { directory },
      `const local = await openLocal(options);
     for (let n = 0; n < 3; n += 1) {
       await new Promise((resolve) => setTimeout(resolve, 300));
       const result = ${JSON.stringify(makeResult(''))};
       await local.results.publish({ ...result, requestId: 'job-' + n }, 'camel');
     }
     await local.close();`,
    );
    slowTimers();
    for (let n = 0; n < 3; n += 1) {
      expect(await results.wait(`job-${n}`, never)).toMatchObject({ requestId: `job-${n}` });
    }
    await publisher.ended;
  },
  CHILD_TEST_MS,
);
