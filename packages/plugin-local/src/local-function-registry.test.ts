/** The registry of functions in the local database. */

import type { FunctionRecord } from '@nanogrid/core';
import { expect, test } from 'vitest';
import { makeFolder, makeLocal } from './support.test.util.js';

function makeRecord(functionId: string, more: Partial<FunctionRecord> = {}): FunctionRecord {
  return {
    functionId,
    functionName: 'hello',
    owner: 'default',
    version: 1,
    s3Key: `functions/${functionId}/code.zip`,
    runtime: 'python',
    handler: undefined,
    timeout: 300,
    memoryMb: undefined,
    env: { GREETING: 'hi' },
    codeDigest: '0'.repeat(64),
    codeBytes: 10,
    createdAt: '2026-01-01T00:00:00.000Z',
    updatedAt: '2026-01-01T00:00:00.000Z',
    ...more,
  };
}

test('what was registered is found, also by a process that comes later', async () => {
  const directory = await makeFolder();
  const first = await makeLocal({ directory });
  const record = makeRecord('fn-1');
  expect(await first.registry.put(record)).toBe(true);
  await first.close();
  const second = await makeLocal({ directory });
  expect(await second.registry.get('fn-1')).toEqual(record);
  expect(await second.registry.get('fn-2')).toBeUndefined();
});

test('of two changes to one version one is accepted', async () => {
  const { registry } = await makeLocal();
  await registry.put(makeRecord('fn-1'));
  expect(await registry.put(makeRecord('fn-1', { functionName: 'again' }))).toBe(false);
  const changes = ['a', 'b'].map((functionName) => registry.put(makeRecord('fn-1', { version: 2, functionName })));
  expect((await Promise.all(changes)).filter(Boolean)).toHaveLength(1);
  expect(await registry.put(makeRecord('fn-1', { version: 4 }))).toBe(false);
  expect((await registry.get('fn-1'))?.version).toBe(2);
});

test('pages list an owner’s functions in order, and nobody else’s', async () => {
  const { registry } = await makeLocal();
  for (const id of ['c', 'a', 'e', 'b', 'd']) await registry.put(makeRecord(id));
  await registry.put(makeRecord('aa', { owner: 'other' }));
  const pages: string[][] = [];
  let cursor: string | undefined;
  do {
    const page = await registry.list({ owner: 'default', limit: 2, ...(cursor === undefined ? {} : { cursor }) });
    pages.push(page.functions.map(({ functionId }) => functionId));
    cursor = page.cursor;
  } while (cursor !== undefined);
  expect(pages).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
});

test('what was deleted is gone, once', async () => {
  const { registry } = await makeLocal();
  await registry.put(makeRecord('fn-1'));
  expect(await registry.delete('fn-1')).toBe(true);
  expect(await registry.delete('fn-1')).toBe(false);
  expect(await registry.get('fn-1')).toBeUndefined();
});
