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
