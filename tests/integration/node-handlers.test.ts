/** Node handlers on real containers: how they are found, called and answered for, and the process that is kept for the next call. */

import { node } from '@nanogrid/runtime-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type JobOptions, startTestWorker, type TestWorker } from '../support/test-worker.js';

let worker: TestWorker;
/** The key of `HANDLERS`. */
let handlers: string;

beforeAll(async () => {
  worker = await startTestWorker({
    runtimes: [node()],
    settings: { reuse: { functions: { kept: 'process' } } },
  });
  handlers = await worker.put(HANDLERS);
});

afterAll(async () => {
  await worker?.close();
});

const call = (key: string, name: string, input: unknown, job: JobOptions) =>
  worker.run(undefined, { key, runtime: 'node', handler: name, input, ...job });
const handler = (name: string, input?: unknown, job: JobOptions = {}) =>
  call(handlers, name, input, { functionId: 'handlers', memoryMb: 96, ...job });
const kept = (key: string, input: unknown) => call(key, 'index.handler', input, { functionId: 'kept' });

/** Many handlers in one function. */
const HANDLERS: Record<string, string> = {
  'all.js': `
exports.awaited = async (event, context) => {
  await new Promise((resolve) => setTimeout(resolve, 5));
  const left = context.getRemainingTimeInMillis();
  return { event, ids: [context.jobId, context.requestId, context.awsRequestId, context.functionId, context.functionName],
    memory: context.memoryLimitInMB, left: left > 0 && left <= 50000, main: require.main === module, argv: process.argv[1] };
};
exports.late = (event, context, callback) => { setTimeout(() => { callback(null, event); callback(null, 9); }, 5); };
exports.failing = (event, context, callback) => { callback(new Error('by callback')); };
exports.promise = async (event, context, callback) => { setTimeout(callback, 1000, null, 1); return 2; };
exports.busy = () => { setInterval(() => {}, 1000); return 'done'; };
exports.nothing = () => {};
exports.nil = () => null;
exports.mixed = () => [undefined, NaN, new Date(0)];
exports.large = () => 'x'.repeat(300000);
exports.bigint = () => 1n;
exports.circle = () => { const a = {}; a.a = a; return a; };
exports.callable = () => () => 1;
exports.number = 1;
exports.endless = () => new Promise(() => {});
exports.throws = function () { throw new RangeError('boom', { cause: new Error('why') }); };
exports.rejects = async () => { await 1; throw new RangeError('boom', { cause: new Error('why') }); };
exports.unhandled = () => { Promise.reject(new RangeError('boom', { cause: new Error('why') })); return new Promise((resolve) => setTimeout(resolve, 1000)); };
`,
  'broken.js': 'throw new RangeError("boom", { cause: new Error("why") })',
  'waits.mjs': 'await 1;\nexport const go = () => "mjs";',
  'common.cjs': 'exports.go = () => "cjs";',
  'typed/package.json': '{"type":"module"}',
  'typed/app.js': 'await 1;\nexport async function go() { return "typed"; }',
  'lib/app.js': 'module.exports = new (class { x = "this"; go() { return this.x; } })();',
  'standard.mjs': 'export default { go: () => "default" };',
};

/** No line of what is printed names the waiting process's own file. */
const withoutShim = expect.not.stringContaining('shim');

describe('a handler', () => {
  test('gets event and context, and is awaited', async () => {
    const input = { ['__proto__']: { polluted: true }, n: 1 };
    const result = await handler('all.awaited', input, { timeoutMs: 50_000 });
    const id = result.requestId;
    expect(JSON.stringify((result.result as { event: unknown }).event)).toBe(JSON.stringify(input));
    expect(result.result).toMatchObject({
      ids: [id, id, id, 'handlers', 'handlers'],
      memory: 96,
      left: true,
      main: false,
      argv: '/function/all.js',
    });
  });

  test.each([
    ['waits.go', 'mjs'],
    ['common.go', 'cjs'],
    ['typed/app.go', 'typed'],
    ['lib/app.go', 'this'],
    ['lib.app.go', 'this'],
    ['standard.go', 'default'],
  ])('%s is found', async (name, value) => {
    expect(await handler(name)).toMatchObject({ status: 'SUCCESS', result: value, stderr: '' });
  });

  test('may answer by callback, once', async () => {
    expect(await handler('all.late', 4)).toMatchObject({ status: 'SUCCESS', result: 4 });
    const failed = await handler('all.failing');
    expect(failed).toMatchObject({ status: 'FAILED', exitCode: 1, stderr: expect.stringContaining('by callback') });
    expect(await handler('all.promise')).toMatchObject({ result: 2 });
  });

  test('ends the job with its answer, whatever else still runs', async () => {
    expect(await handler('all.busy', null, { timeoutMs: 60_000 })).toMatchObject({ result: 'done' });
  });

  test.each([
    ['nothing', null],
    ['nil', null],
    ['mixed', [null, null, '1970-01-01T00:00:00.000Z']],
    ['large', 'x'.repeat(300_000)],
  ])('that returns %s answers with JSON', async (name, expected) => {
    expect((await handler(`all.${name}`)).result).toEqual(expected);
  });

  test.each([
    ['all.bigint', 'returned a value that is not JSON: Do not know how to serialize a BigInt'],
    ['all.circle', 'returned a value that is not JSON: Converting circular structure'],
    ['all.callable', 'returned a value that is not JSON: a function'],
    ['all.number', "module 'all' has no function 'number'"],
    ['all.nope', "module 'all' has no function 'nope'"],
    ['other.go', "there is no module 'other' in the function's code"],
    ['all.endless', 'never finished: nothing is left to wait for'],
  ])('%s fails, and is told why', async (name, reason) => {
    const result = await handler(name, null, { timeoutMs: 60_000 });
    expect(result).toMatchObject({ status: 'FAILED', exitCode: 1, stderr: withoutShim });
    expect(result.stderr).toMatch(new RegExp(`^handler '${name}'`));
    expect(result.stderr).toContain(reason);
  });

  test.each([
    ['all.throws', 'all.js:'],
    ['all.rejects', 'all.js:'],
    ['all.unhandled', 'all.js:'],
    ['broken.go', 'broken.js:1:'],
  ])('%s fails with its stack and no other', async (name, place) => {
    const result = await handler(name);
    expect(result).toMatchObject({ status: 'FAILED', exitCode: 1, stderr: withoutShim });
    expect(result.stderr).toContain('RangeError: boom\n    at ');
    expect(result.stderr).toContain('[cause]: Error: why');
    expect(result.stderr).toContain(`/function/${place}`);
  });
});

describe('a kept handler', () => {
  const code = `
let calls = 0;
const ticks = [];
let ended = Infinity;
setInterval(() => ticks.push(performance.now()), 1);
exports.handler = async (event, context) => {
  const between = ticks.filter((at) => at > ended).length;
  process.env.LEFT ??= context.jobId;
  const seen = [++calls, between, process.cwd(), process.env.LEFT === context.jobId, process.env.JOB_ID === context.jobId,
    require('fs').readFileSync(process.env.PAYLOAD_FILE, 'utf8') === JSON.stringify(event), context.getRemainingTimeInMillis() > 0, 'PAYLOAD' in process.env];
  process.chdir('/');
  if (event === 'throw') throw new Error('thrown');
  if (event === 'exit') process.exit(3);
  await new Promise((resolve) => setTimeout(resolve, 3));
  ended = performance.now();
  return seen;
};`;

  test('finds what it kept, and its event loop stands still between jobs', async () => {
    const key = await worker.put({ 'index.js': code });
    const seen = (calls: number, payload = true) => [calls, 0, '/function', calls === 1, true, true, true, payload];
    expect((await kept(key, 'a')).result).toEqual(seen(1));
    // Meanwhile another job of another function: time passes.
    await handler('all.nil');
    expect((await kept(key, 'b')).result).toEqual(seen(2));
    const thrown = await kept(key, 'throw');
    expect(thrown).toMatchObject({ status: 'FAILED', exitCode: 1, stderr: expect.stringContaining('Error: thrown') });
    expect((await kept(key, 'c')).result).toEqual(seen(4));
    // Too large for the environment: the variable of the job before is gone.
    expect((await kept(key, 'x'.repeat(40_000))).result).toEqual(seen(5, false));
    expect(await kept(key, 'exit')).toMatchObject({ status: 'FAILED', exitCode: 3 });
    expect((await kept(key, 'd')).result).toEqual(seen(1));
  });

  test('answers the job that it was called for, and no later one', async () => {
    const late = `
let earlier;
exports.handler = (event, context, callback) => {
  earlier?.(null, 'too late');
  earlier = callback;
  setTimeout(callback, 2, null, event);
};`;
    const key = await worker.put({ 'index.js': late });
    for (const input of [1, 2, 3]) {
      const result = await kept(key, input);
      expect(result.result).toBe(input);
    }
  });
});
