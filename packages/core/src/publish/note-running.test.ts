import { expect, test } from 'vitest';
import type { Job } from '../job.js';
import { silentLogger } from '../logger.js';
import type { ResultStore } from '../stores.js';
import { noteRunning } from './note-running.js';

const job = { id: 'a' } as Job;

function parts(progress: ResultStore['progress']) {
  return { resultStore: { progress } as ResultStore, log: silentLogger };
}

test('the job comes first, and whoever waits has the note behind them', async () => {
  const steps: string[] = [];
  const noted = noteRunning(
    parts(async (id, state) => {
      steps.push(`${id} ${state}`);
    }),
    job,
  );
  await Promise.resolve();
  steps.push('the job is on its way');
  await noted;
  expect(steps).toEqual(['the job is on its way', 'a running']);
});

test('a store that cannot take it does not hinder the job', async () => {
  await noteRunning(
    parts(async () => {
      throw new Error('the store is away');
    }),
    job,
  );
});
