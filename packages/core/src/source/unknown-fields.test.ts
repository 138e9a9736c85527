import { expect, test } from 'vitest';
import { silentLogger } from '../logger.js';
import { UnknownFields } from './unknown-fields.js';

test('tells of each name once, and of no more than a bound', () => {
  const told: string[] = [];
  const warn = (fields: object | string) => told.push((fields as { field: string }).field);
  const fields = new UnknownFields({ ...silentLogger, warn: warn as never });
  fields.report(['colour', 'size'], 'a');
  fields.report(['size', 'weight'], 'b');
  expect(told).toEqual(['colour', 'size', 'weight']);
  fields.report(
    Array.from({ length: 5_000 }, (_, i) => `f${i}`),
    'c',
  );
  expect(told).toHaveLength(1_000);
});

test('tells of a handler that is ignored once for each runtime', () => {
  const told: object[] = [];
  const fields = new UnknownFields({ ...silentLogger, warn: ((entry: object) => told.push(entry)) as never });
  for (const [runtime, job] of [
    ['x', 'a'],
    ['x', 'b'],
    ['y', 'c'],
  ] as const)
    fields.reportHandler('main.handler', runtime, job);
  expect(told).toEqual([
    { field: 'handler', handler: 'main.handler', runtime: 'x', jobId: 'a' },
    { field: 'handler', handler: 'main.handler', runtime: 'y', jobId: 'c' },
  ]);
});
