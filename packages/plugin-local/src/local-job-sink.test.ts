import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { ResultsTable } from './results-table.js';
import { CHILD_TEST_MS, makeFolder, makeLocal, makeResult, never, runChild } from './support.test.util.js';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Twins whose notes are written when the test says so, and a consumer of theirs that waits. */
async function lab() {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const directory = await makeFolder();
  const local = await makeLocal({ directory, waitMs: 20_000 });
  const received = local.queue.receive(1, never);
  // Twins that close end it with an error.
  received.catch(() => {});
  for (let turns = 0; turns < 3; turns += 1) await turn();
  /** Longer than any note is late, and until what is written then is committed. */
  const aMoment = async () => {
    vi.advanceTimersByTime(100);
    for (let turns = 0; turns < 3; turns += 1) await turn();
  };
  return { ...local, directory, received, aMoment };
}

const job = (jobId: string, isUnknown: boolean) => ({ body: jobId, jobId, functionId: 'f', isUnknown });

test('a job that nobody can ask for, and that a worker has, is noted as pending a moment later', async () => {
  const { jobSink, results, received, aMoment } = await lab();
  await jobSink.send(job('a', true));
  expect(await received).toMatchObject([{ body: 'a' }]);
  expect(await results.get('a')).toBeUndefined();
  await aMoment();
  expect(await results.get('a')).toEqual({ state: 'pending' });
});

test('all others are pending in the same step', async () => {
  const { jobSink, results, received } = await lab();
  await jobSink.send(job('asked for', false));
  expect(await received).toMatchObject([{ body: 'asked for' }]);
  expect(await results.get('asked for')).toEqual({ state: 'pending' });
  // Nobody waits for this one.
  await jobSink.send(job('in the queue', true));
  expect(await results.get('in the queue')).toEqual({ state: 'pending' });
});

test('a job whose result comes before costs no note, and no look for a result', async () => {
  const { jobSink, results, aMoment } = await lab();
  const notes = vi.spyOn(ResultsTable.prototype, 'progress');
  const looks = vi.spyOn(ResultsTable.prototype, 'isKnown');
  await jobSink.send(job('a', true));
  const begun = await results.begin('a');
  expect(begun).toMatchObject({ kind: 'run' });
  expect(await results.publish(makeResult('a'), 'camel')).toBe(true);
  if (begun.kind === 'run') begun.end();
  await aMoment();
  expect([notes.mock.calls, looks.mock.calls]).toEqual([[], []]);
  expect(await results.begin('a')).toEqual({ kind: 'finished' });
});

test('one that ends without a result is still noted', async () => {
  const { jobSink, results, aMoment } = await lab();
  await jobSink.send(job('a', true));
  const begun = await results.begin('a');
  if (begun.kind === 'run') begun.end();
  await aMoment();
  expect(await results.get('a')).toEqual({ state: 'pending' });
});

test('what is still to be noted is written when the store closes', async () => {
  const { jobSink, results, close, directory } = await lab();
  await jobSink.send(job('a', true));
  await results.begin('runs');
  await close();
  const again = await makeLocal({ directory });
  expect(await again.results.get('a')).toEqual({ state: 'pending' });
  expect(await again.results.get('runs')).toBeUndefined();
});

test('a job that could not be handed in is not noted', async () => {
  const { jobSink, queue, results, aMoment } = await lab();
  vi.spyOn(queue, 'send').mockImplementation(async (_body, { along } = {}) => {
    along?.(true);
    throw new Error('the disk is full');
  });
  await expect(jobSink.send(job('a', true))).rejects.toThrow('the disk is full');
  await aMoment();
  expect(await results.get('a')).toBeUndefined();
});

test(
  'a job that was not noted before its process was killed is delivered again, and noted then',
  async () => {
    const directory = await makeFolder();
    const { queue, results } = await makeLocal({ directory, waitMs: 20_000 });
    const doomed = runChild(
      { directory, waitMs: 20_000 },
      `const local = await openLocal(options);
    const received = local.queue.receive(1, new AbortController().signal);
    for (let turns = 0; turns < 3; turns += 1) await new Promise((resolve) => setImmediate(resolve));
    // No timer has its turn before the end.
    await local.jobSink.send({ body: 'survives', jobId: 'a', functionId: 'f', isUnknown: true });
    await received;
    process.kill(process.pid, 'SIGKILL');`,
    );
    await doomed.ended;
    expect(await results.get('a')).toBeUndefined();
    expect(await queue.receive(1, never)).toMatchObject([{ body: 'survives', attempt: 2 }]);
    expect(await results.begin('a')).toMatchObject({ kind: 'run' });
    await expect.poll(() => results.get('a'), { timeout: CHILD_TEST_MS }).toEqual({ state: 'running' });
    expect(await results.publish(makeResult('a'), 'camel')).toBe(true);
  },
  CHILD_TEST_MS,
);
