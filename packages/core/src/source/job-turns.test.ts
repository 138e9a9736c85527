import { expect, test } from 'vitest';
import { NanoGridError } from '../errors.js';
import type { Job } from '../job.js';
import { silentLogger } from '../logger.js';
import type { Outcome } from '../publish/settle.js';
import type { JobResult } from '../result.js';
import type { JobStart } from '../stores.js';
import { JobTurns } from './job-turns.js';

const never = new AbortController().signal;
const job = (id = 'job-1') => ({ id, attempt: 1, lastAttempt: false }) as Job;
const published: Outcome = { kind: 'published', result: {} as JobResult };

/** Results as a store has them: known ones end a start, and what was begun is counted. */
function store() {
  const finished = new Set<string>();
  const elsewhere = new Set<string>();
  const begun: string[] = [];
  const ended: string[] = [];
  return {
    finished,
    elsewhere,
    begun,
    ended,
    async begin(id: string): Promise<JobStart> {
      if (finished.has(id)) return { kind: 'finished' };
      begun.push(id);
      if (elsewhere.has(id)) return { kind: 'elsewhere' };
      return { kind: 'run', end: () => void ended.push(id) };
    },
  };
}

/** A run that ends when it is told to. */
function held() {
  let end: (outcome: Outcome) => void = () => {};
  let started: () => void = () => {};
  const isStarted = new Promise<void>((resolve) => {
    started = resolve;
  });
  const run = () =>
    new Promise<Outcome>((resolve) => {
      end = resolve;
      started();
    });
  return { run, isStarted, end: (outcome: Outcome) => end(outcome) };
}

test('a job whose result is known is not run', async () => {
  const results = store();
  results.finished.add('job-1');
  const turns = new JobTurns(results, silentLogger);
  expect(await turns.take(job(), never, () => Promise.reject(new Error('it ran')))).toEqual({ kind: 'known' });
});

test('of two deliveries at once the second waits, and finds the result', async () => {
  const results = store();
  const turns = new JobTurns(results, silentLogger);
  const first = held();
  const one = turns.take(job(), never, first.run);
  let runs = 0;
  const two = turns.take(job(), never, async () => {
    runs += 1;
    return published;
  });
  const other = turns.take(job('job-2'), never, async () => published);
  expect(await other).toBe(published);
  await first.isStarted;
  results.finished.add('job-1');
  first.end(published);
  expect(await one).toBe(published);
  expect(await two).toEqual({ kind: 'known' });
  expect(runs).toBe(0);
  expect(results.ended.sort()).toEqual(['job-1', 'job-2']);
});

test('the second runs the job where the first ended without a result, one after the other', async () => {
  const turns = new JobTurns(store(), silentLogger);
  const first = held();
  const retry: Outcome = { kind: 'retry', error: new NanoGridError('NG_CODE_UNAVAILABLE', 'no') };
  const one = turns.take(job(), never, first.run);
  let running = 0;
  let most = 0;
  const others = Array.from({ length: 5 }, () =>
    turns.take(job(), never, async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise(setImmediate);
      running -= 1;
      return retry;
    }),
  );
  await first.isStarted;
  expect(most).toBe(0);
  first.end(retry);
  expect(await Promise.all([one, ...others])).toEqual(Array(6).fill(retry));
  expect(most).toBe(1);
});

test('a job that runs elsewhere is waited for: until it has a result, or runs no longer', async () => {
  const results = store();
  results.elsewhere.add('job-1').add('job-2');
  const turns = new JobTurns(results, silentLogger, 1);
  const one = turns.take(job('job-1'), never, async () => published);
  const two = turns.take(job('job-2'), never, async () => published);
  while (results.begun.length < 10) await new Promise(setImmediate);
  results.finished.add('job-1');
  results.elsewhere.delete('job-2');
  expect(await one).toEqual({ kind: 'known' });
  expect(await two).toBe(published);
});

test('a wait ends when the worker stops, also on the last delivery: the other run tells the result', async () => {
  const results = store();
  results.elsewhere.add('job-1');
  const turns = new JobTurns(results, silentLogger, 60_000);
  const stop = new AbortController();
  const last = { ...job(), lastAttempt: true };
  const elsewhere = turns.take(last, stop.signal, async () => published);
  const behind = turns.take(last, stop.signal, async () => published);
  stop.abort(new Error('the worker stops'));
  expect(await elsewhere).toEqual({ kind: 'handed-back' });
  expect(await behind).toEqual({ kind: 'handed-back' });
});

test('a store that cannot tell keeps no job from running', async () => {
  const error = new NanoGridError('NG_RESULT_STORE_FAILED', 'broken');
  const turns = new JobTurns({ begin: () => Promise.reject(error) }, silentLogger);
  expect(await turns.take(job(), never, async () => published)).toBe(published);
});
