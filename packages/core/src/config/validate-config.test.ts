/** What is wrong in a configuration is told, all of it, with path, value, reason and where it stands. */

import { describe, expect } from 'vitest';
import { test } from './config-folder.test.util.js';

describe('validation', () => {
  test('lists every problem with path, value, reason, suggestion and source', async ({ folder }) => {
    const path = await folder.write(
      'nanogrid.config.json',
      JSON.stringify({
        worker: { slotz: 4, memoryMb: '1g' },
        http: { port: 70_000 },
        wroker: {},
        environments: { production: { job: { graceMs: -1 } } },
      }),
    );
    const error = await folder.fail({ overrides: { worker: { slots: 0 } }, env: { S3_CODE_BUCKET: '' } });
    expect(error.code).toBe('NG_CONFIG_INVALID');
    expect(error.message.split('\n  - ')).toEqual([
      'The configuration is not valid:',
      `wroker: {} is given, but there is no such key; did you mean "worker"? (in ${path})`,
      `worker.slotz: 4 is given, but there is no such key; did you mean "slots"? (in ${path})`,
      `worker.memoryMb: "1g" must be a whole number (in ${path})`,
      `http.port: 70000 must be <= 65535 (in ${path})`,
      `job.graceMs: -1 must be >= 0 (in ${path}, environment "production")`,
      'code.bucket: "" is empty; give a value or unset the variable (in environment variable S3_CODE_BUCKET)',
      'worker.slots: 0 must be >= 1 (in the command line)',
    ]);
  });

  test.for([
    ['worker.slots', 1.5, 'must be a whole number'],
    ['worker.slots', Number.NaN, 'NaN must be a whole number'],
    ['worker.slots', null, 'must be a whole number'],
    ['job.timeoutMs', 0, 'must be >= 1'],
    ['job.timeoutMs', 2 ** 31, 'must be <= 2147483647'],
    ['job.memoryMb', 5, 'must be >= 6'],
    ['job.maxLogBytes', Number.POSITIVE_INFINITY, 'must be a whole number'],
    ['code.limits', { maxPathBytes: 1_024 }, 'must be <= 1023'],
    ['sandbox.cpus', 0, 'must be >= 0.01'],
    ['sandbox.ociRuntime', 'run sc', 'must be the name of an OCI runtime'],
    ['http.port', '8080', 'must be a whole number'],
    ['code.bucket', '..', 'must be a bucket name'],
    ['code.allowedBuckets', [], 'must NOT have fewer than 1 items'],
    ['code.allowedBuckets', 'nanogrid-code', 'must be a list'],
    ['pool.sizes', { perl: -1 }, 'must be >= 0'],
    ['pool.sizes', { 'Perl!': 1 }, 'is not a valid name'],
    ['docker.host', true, 'must be a string'],
    ['dataDir', '', 'must NOT have fewer than 1 characters'],
    ['plugins', [() => {}], 'is it a factory that was not called?'],
    ['plugins', [5], 'must be an object or a string or a list'],
    ['plugins', [['a', {}, 1]], 'must NOT have more than 2 items'],
    ['worker', 4, 'must be an object'],
  ] as const)('%s: %j is refused', async ([path, value, reason], { folder }) => {
    const keys = path.split('.');
    const overrides = keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
    const { code, message } = await folder.fail({ overrides: overrides as object });
    expect(code).toBe('NG_CONFIG_INVALID');
    expect(message).toContain(path);
    expect(message).toContain(reason);
    expect(message).toContain('(in the command line)');
  });

  test.for([
    [{ job: { memoryMb: 4_000 } }, 'job.memoryMb: 4000 must be at most job.maxMemoryMb, which is 3008'],
    [{ job: { timeoutMs: 900_001 } }, 'job.timeoutMs: 900001 must be at most job.maxTimeoutMs, which is 900000'],
    [{ job: { graceMs: 300, timeoutMs: 200 } }, 'job.graceMs: 300 must be at most job.timeoutMs, which is 200'],
    [{ worker: { memoryMb: 128 } }, 'worker.memoryMb: 128 must be at least job.memoryMb, which is 256'],
    [
      { code: { allowedBuckets: ['other'] } },
      'code.allowedBuckets: ["other"] must include code.bucket, which is "nanogrid-code"',
    ],
    [
      { pool: { sizes: { prl: 1 } } },
      'pool.sizes.prl: 1 is for a runtime that is not in "runtimes", there are perl; did you mean "perl"?',
    ],
  ] as const)('%j contradicts itself', async ([overrides, reason], { folder }) => {
    const { code, message } = await folder.fail({ overrides });
    expect(code).toBe('NG_CONFIG_INVALID');
    expect(message).toContain(reason);
    expect(message).toContain('(in the command line)');
  });

  test('a default that contradicts is named as such', async ({ folder }) => {
    const { message } = await folder.fail({ overrides: { job: { maxMemoryMb: 128 } } });
    expect(message).toContain('job.memoryMb: 256 must be at most job.maxMemoryMb, which is 128 (in built-in defaults)');
  });

  test.for([
    '{"__proto__": {"worker": {"slots": 1}}}',
    '{"worker": {"__proto__": {"slots": 1}}}',
    '{"pool": {"sizes": {"__proto__": 1}}}',
    '{"environments": {"__proto__": {}}}',
  ])('%s is refused', async (text, { folder }) => {
    await folder.write('nanogrid.config.json', text);
    expect((await folder.fail()).message).toContain('__proto__');
  });

  test.for(['[]', '"x"', '5', 'null'])('a file that holds %s is refused', async (text, { folder }) => {
    await folder.write('nanogrid.config.json', text);
    expect((await folder.fail()).message).toContain('must be an object');
  });

  test.for([
    [{ environments: [] }, 'environments: [] must be an object'],
    [{ environments: { production: 5 } }, 'must be an object'],
    [{ environments: { 'a b': {} } }, 'environments.a b: is not a valid name'],
    [{ environments: { production: { environments: {} } } }, 'environments: {} is given, but there is no such key'],
  ] as const)('%j is refused', async ([value, reason], { folder }) => {
    await folder.write('nanogrid.config.json', JSON.stringify(value));
    expect((await folder.fail()).message).toContain(reason);
  });

  test('a key for the editor is allowed', async ({ folder }) => {
    await folder.write('nanogrid.config.json', '{"$schema": "./schema.json"}');
    await folder.load();
  });
});
