/** API keys at the HTTP front: who may do what, how often, and see what. No worker is needed. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newApiKey } from '@nanogrid/controller';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestController, type TestController } from '../support/test-controller.js';

const runtimes = [python()];
const FIELDS = { function_name: 'f', runtime: 'python' };
const SOURCE = 'print(1)';

describe('with API keys', () => {
  const all = newApiKey();
  const other = newApiKey();
  const reader = newApiKey();
  let folder: string;
  let own: TestController;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nanogrid-controller-'));
    const apiKeys = [
      { id: 'all', hash: all.hash, owner: 'team-a' },
      { id: 'other', hash: other.hash, maxConcurrent: 1 },
      { id: 'reader', hash: reader.hash, owner: 'team-a', scopes: ['read' as const], ratePerMinute: 5 },
    ];
    own = await startTestController({ dataDir: folder, runtimes, settings: { apiKeys, waitTimeoutMs: 5_000 } });
  });

  afterAll(async () => {
    await own?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const bearer = ({ key }: { key: string }) => ({ authorization: `Bearer ${key}` });

  test.each([
    ['none', {}],
    ['a wrong one', { authorization: 'Bearer ngk_wrong' }],
    ['the digest of one', { authorization: `Bearer ${all.hash}` }],
    ['another scheme', { authorization: `Basic ${all.key}` }],
    ['an empty one', { 'x-api-key': '' }],
  ])('%s: nothing but /health', async (_what, headers) => {
    expect((await own.call('GET', '/health', undefined, headers)).status).toBe(200);
    for (const [method, path] of [
      ['GET', '/functions'],
      ['POST', '/run'],
      ['POST', '/upload'],
      ['GET', '/status/x'],
      ['GET', '/openapi.json'],
      ['GET', '/docs'],
      ['GET', '/nothing'],
    ] as const) {
      const { status, answer } = await own.call(method, path, undefined, headers);
      expect([path, status, answer.error.code]).toEqual([path, 401, 'UNAUTHORIZED']);
    }
  });

  test('one in X-Api-Key is as good', async () => {
    expect((await own.call('GET', '/functions', undefined, { 'x-api-key': all.key })).status).toBe(200);
  });

  test('a key does only what its scopes say, and only so often', async () => {
    expect((await own.call('GET', '/functions', undefined, bearer(reader))).status).toBe(200);
    const refused = await own.call('POST', '/run', { function_id: 'x' }, bearer(reader));
    expect(refused).toMatchObject({ status: 403, answer: { error: { code: 'FORBIDDEN' } } });
    const statuses: number[] = [];
    for (let i = 0; i < 6; i++) statuses.push((await own.call('GET', '/functions', undefined, bearer(reader))).status);
    expect(statuses.at(-1)).toBe(429);
    const limited = await own.call('GET', '/functions', undefined, bearer(reader));
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('functions and jobs of another owner are as unknown as those that do not exist', async () => {
    const { answer: fn } = await own.upload(FIELDS, SOURCE, 'main.py', bearer(all));
    const { answer: job } = await own.call(
      'POST',
      '/run',
      { function_id: fn.function_id },
      { ...bearer(all), 'x-async': 'true' },
    );
    for (const [method, path, body] of [
      ['GET', `/functions/${fn.function_id}`],
      ['DELETE', `/functions/${fn.function_id}`],
      ['POST', `/functions/${fn.function_id}/copies`, { function_name: 'copy' }],
      ['POST', '/run', { function_id: fn.function_id }],
      ['GET', `/status/${job.job_id}`],
      ['POST', `/jobs/${job.job_id}/cancel`],
    ] as const) {
      expect([path, (await own.call(method, path, body, bearer(other))).status]).toEqual([path, 404]);
    }
    const again = await own.upload({ ...FIELDS, function_id: fn.function_id }, SOURCE, 'main.py', bearer(other));
    expect(again.status).toBe(404);
    expect((await own.call('GET', '/functions', undefined, bearer(other))).answer.functions).toEqual([]);
    expect((await own.call('GET', `/status/${job.job_id}`, undefined, bearer(all))).status).toBe(200);
  });

  test('a key that has its share of waiting requests is told to come again', async () => {
    const { answer: fn } = await own.upload(FIELDS, SOURCE, 'main.py', bearer(other));
    const run = () => own.call('POST', '/run', { function_id: fn.function_id }, bearer(other));
    const statuses = (await Promise.all([run(), run()])).map(({ status }) => status);
    expect(statuses.sort()).toEqual([429, 504]);
  });
});
