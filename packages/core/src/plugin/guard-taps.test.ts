import { describe, expect, test } from 'vitest';
import { NanoGridError } from '../errors.js';
import type { ExecSpec } from '../exec/exec-spec.js';
import type { ExecutionReport, Hooks } from '../hooks.js';
import type { Job } from '../job.js';
import { silentLogger } from '../logger.js';
import type { JobResult } from '../result.js';
import { createGuardedHooks, type GuardOptions } from './guard-taps.js';
import type { TapFailure } from './tap.js';

const job = { id: 'j1' } as Job;
const report = {} as ExecutionReport;
const spec: ExecSpec = {
  command: undefined,
  entrypoint: 'main',
  handler: undefined,
  env: { A: '1' },
  timeoutMs: 1_000,
  graceMs: 200,
  memoryMb: 64,
  cpus: 1,
  input: 'null',
  maxStdoutBytes: 1,
  maxStderrBytes: 1,
  network: 'none',
  reuse: 'container',
  workFiles: [],
};
const result = {
  requestId: 'j1',
  status: 'SUCCESS',
  stdout: 'out',
  outputFiles: ['a'],
} as unknown as JobResult;

function guarded(options: Partial<GuardOptions> = {}): { hooks: Hooks; failures: TapFailure[] } {
  const failures: TapFailure[] = [];
  const onTapFailure = (failure: TapFailure) => failures.push(failure);
  return { hooks: createGuardedHooks({ log: silentLogger, onTapFailure, ...options }), failures };
}

async function failure(work: Promise<unknown>): Promise<NanoGridError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof NanoGridError) return error;
  throw new Error(`no NanoGridError: ${String(error)}`);
}

const broken = new Error('broken');

describe.each(['tap', 'tapAsync', 'tapPromise'] as const)('a tap registered with %s', (kind) => {
  const add = (hooks: Hooks, hook: keyof Hooks, work: (...args: unknown[]) => unknown) => {
    const target = hooks[hook] as unknown as Record<typeof kind, (name: string, fn: unknown) => void>;
    if (kind === 'tap') target[kind]('audit', work);
    else if (kind === 'tapPromise') target[kind]('audit', async (...args: unknown[]) => work(...args));
    else {
      target[kind]('audit', (...args: unknown[]) => {
        const done = args.pop() as (error: unknown, value?: unknown) => void;
        try {
          done(null, work(...args));
        } catch (error) {
          done(error);
        }
      });
    }
  };
  const throwing = () => {
    throw broken;
  };

  test.each(['beforeFetch', 'afterExtract', 'beforeExec'] as const)(
    'that throws in %s fails the job, named',
    async (hook) => {
      const { hooks, failures } = guarded();
      add(hooks, hook, throwing);
      const error = await failure((hooks[hook].promise as (...args: unknown[]) => Promise<unknown>)(spec, job));
      expect(error.code).toBe('NG_PLUGIN_FAILED');
      expect(error.message).toBe(`Plugin audit failed in ${hook}: broken`);
      expect(error.cause).toBe(broken);
      expect(failures).toEqual([{ plugin: 'audit', hook, error: broken }]);
    },
  );

  test('that throws in afterExec is recorded, and the chain goes on with the value before it', async () => {
    const { hooks, failures } = guarded();
    hooks.afterExec.tap('first', (value) => ({ ...value, optimizationTip: 'tip' }));
    add(hooks, 'afterExec', (value) => {
      (value as JobResult).stdout = 'spoilt';
      (value as JobResult).outputFiles.push('spoilt');
      throw broken;
    });
    hooks.afterExec.tap('last', (value) => ({ ...value, cpuMs: 1 }));
    expect(await hooks.afterExec.promise(result, report, job)).toEqual({
      ...result,
      optimizationTip: 'tip',
      cpuMs: 1,
      pluginErrors: [{ plugin: 'audit', hook: 'afterExec', message: 'broken' }],
    });
    expect(failures).toHaveLength(1);
    expect(result.outputFiles).toEqual(['a']);
  });

  test('that throws in onResult does not reach the others', async () => {
    const { hooks, failures } = guarded();
    const delivered: string[] = [];
    hooks.onResult.tap('first', () => void delivered.push('first'));
    add(hooks, 'onResult', throwing);
    hooks.onResult.tap('last', () => void delivered.push('last'));
    await hooks.onResult.promise(result, job);
    expect(delivered).toEqual(['first', 'last']);
    expect(failures).toEqual([{ plugin: 'audit', hook: 'onResult', error: broken }]);
  });

  test('hands its value on', async () => {
    const { hooks } = guarded();
    add(hooks, 'beforeExec', (value) => ({ ...(value as ExecSpec), timeoutMs: 5 }));
    expect((await hooks.beforeExec.promise(spec, job)).timeoutMs).toBe(5);
  });
});

describe('a NanoGridError of a tap', () => {
  test('keeps its code, side and hint, and is labelled', async () => {
    const { hooks } = guarded();
    hooks.afterExtract.tap('audit', () => {
      throw new NanoGridError('NG_ARCHIVE_UNSAFE', 'The file x is not allowed.', { hint: 'Remove it.' });
    });
    const error = await failure(hooks.afterExtract.promise(job, {} as never));
    expect(error.code).toBe('NG_ARCHIVE_UNSAFE');
    expect(error.side).toBe('user');
    expect(error.hint).toBe('Remove it.');
    expect(error.message).toBe('Plugin audit (afterExtract): The file x is not allowed.');
  });

  test('is known by its shape, where it comes from another copy of the package', async () => {
    const { hooks } = guarded();
    hooks.afterExtract.tap('audit', () => {
      throw Object.assign(new Error('no'), { name: 'NanoGridError', code: 'NG_ARCHIVE_UNSAFE' });
    });
    expect((await failure(hooks.afterExtract.promise(job, {} as never))).code).toBe('NG_ARCHIVE_UNSAFE');
  });
});

describe('beforeFetch', () => {
  test('the first answer ends the job', async () => {
    const { hooks } = guarded();
    let asked = false;
    hooks.beforeFetch.tap('none', () => undefined);
    hooks.beforeFetch.tap('cache', () => ({ status: 'SUCCESS', result: 1 }));
    hooks.beforeFetch.tap('late', () => {
      asked = true;
      return undefined;
    });
    expect(await hooks.beforeFetch.promise(job)).toEqual({ status: 'SUCCESS', result: 1 });
    expect(asked).toBe(false);
  });

  test.each([[null], [true], [{}], [{ status: 'DONE' }]])('%j is no answer', async (answer) => {
    const { hooks } = guarded();
    hooks.beforeFetch.tap('cache', () => answer as never);
    const error = await failure(hooks.beforeFetch.promise(job));
    expect(error.message).toContain('Plugin cache failed in beforeFetch: it returned');
  });
});

describe('beforeExec', () => {
  test.each([
    ['no object', 'x', 'must be an object'],
    ['null', null, 'must be an object'],
    ['missing keys', { env: {} }, 'entrypoint: is required, but missing'],
    ['a misspelt key', { ...spec, timeoutMS: 1 }, 'did you mean "timeoutMs"?'],
    ['a negative timeout', { ...spec, timeoutMs: -1 }, 'timeoutMs: -1 must be > 0'],
    ['a timeout that is no number', { ...spec, timeoutMs: Number.NaN }, 'timeoutMs: NaN must be a number'],
    ['a timeout beyond the timers', { ...spec, timeoutMs: 2 ** 31 }, 'timeoutMs: 2147483648 must be <='],
    ['no memory', { ...spec, memoryMb: 0 }, 'memoryMb: 0 must be >= 1'],
    ['memory that is no whole number', { ...spec, memoryMb: 64.5 }, 'memoryMb: 64.5 must be a whole number'],
    ['a second run without memory', { ...spec, retryMemoryMb: 0 }, 'retryMemoryMb: 0 must be >= 1'],
    ['less of a processor than the engine takes', { ...spec, cpus: 0.001 }, 'cpus: 0.001 must be >= 0.01'],
    ['a variable that is no text', { ...spec, env: { A: 1 } }, 'env.A: *** must be a string'],
    ['a variable with NUL', { ...spec, env: { A: 'a\u0000' } }, 'env.A: *** must be text without NUL'],
    ['a variable with a bad name', { ...spec, env: { 'A=B': '' } }, 'env.A=B: is not a valid name'],
    ['an empty command', { ...spec, command: [] }, 'command: [] must NOT have fewer than 1 items'],
    [
      'a work file outside',
      { ...spec, workFiles: [{ path: '../x', maxBytes: 1 }] },
      'must be a path inside the working directory',
    ],
    ['a work file too large', { ...spec, workFiles: [{ path: 'x', maxBytes: 2 ** 25 }] }, 'must be <= 16777216'],
    [
      'more work files than the supervisor takes',
      { ...spec, workFiles: Array.from({ length: 17 }, (_, i) => ({ path: `f${i}`, maxBytes: 1 })) },
      'must NOT have more than 16 items',
    ],
  ])('refuses %s, naming the plugin', async (_what, value, message) => {
    const { hooks } = guarded();
    hooks.beforeExec.tap('tuner', () => value as ExecSpec);
    const error = await failure(hooks.beforeExec.promise(spec, job));
    expect(error.code).toBe('NG_PLUGIN_FAILED');
    expect(error.message).toContain('Plugin tuner failed in beforeExec: it returned an invalid execution spec');
    expect(error.message).toContain(message);
  });

  test('checks a spec that was changed in place, too', async () => {
    const { hooks } = guarded();
    hooks.beforeExec.tap('tuner', ((value: { graceMs: number }) => {
      value.graceMs = -1;
    }) as never);
    expect((await failure(hooks.beforeExec.promise({ ...spec }, job))).message).toContain('graceMs: -1 must be >= 0');
  });
});

describe('afterExec', () => {
  test.each([
    ['text', 'x', 'it returned "x" instead of a result'],
    ['another job’s result', { ...result, requestId: 'j2' }, 'it returned the result of another job'],
    ['an unknown status', { ...result, status: 'OK' }, 'it returned a result with the status "OK"'],
  ])('%s is recorded as an error', async (_what, value, message) => {
    const { hooks } = guarded();
    hooks.afterExec.tap('bad', () => value as JobResult);
    expect(await hooks.afterExec.promise(result, report, job)).toEqual({
      ...result,
      pluginErrors: [{ plugin: 'bad', hook: 'afterExec', message }],
    });
  });

  test('a tap that changes the result in place and returns nothing is understood', async () => {
    const { hooks } = guarded();
    hooks.afterExec.tap('tip', ((value: JobResult) => {
      value.optimizationTip = 'tip';
    }) as never);
    expect((await hooks.afterExec.promise(result, report, job)).optimizationTip).toBe('tip');
  });

  test('a later tap cannot lose what was recorded', async () => {
    const { hooks } = guarded();
    hooks.afterExec.tap('bad', () => {
      throw broken;
    });
    hooks.afterExec.tap('fresh', ({ pluginErrors: _lost, ...value }) => value);
    expect((await hooks.afterExec.promise(result, report, job)).pluginErrors).toHaveLength(1);
  });
});

describe('a required sink', () => {
  test('is tried again with growing delay until it succeeds', async () => {
    const delays: number[] = [];
    const { hooks, failures } = guarded({ sleep: async (ms) => void delays.push(ms) });
    let tries = 0;
    hooks.onResult.tapPromise({ name: 'redis', required: true }, async () => {
      tries += 1;
      if (tries < 11) throw broken;
    });
    await hooks.onResult.promise(result, job);
    expect(tries).toBe(11);
    expect(delays).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000]);
    expect(failures).toHaveLength(10);
  });

  test('that is given up on rejects, once the other sinks are through', async () => {
    const stop = new AbortController();
    const { hooks } = guarded({ signal: stop.signal });
    let release = () => {};
    let delivered = false;
    hooks.onResult.tapPromise({ name: 'redis', required: true }, async () => {
      throw new NanoGridError('NG_RESULT_STORE_FAILED', 'no connection');
    });
    hooks.onResult.tapPromise('slow', async () => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      delivered = true;
    });
    let settled = false;
    const call = failure(hooks.onResult.promise(result, job)).finally(() => {
      settled = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    await new Promise((resolve) => setImmediate(resolve));
    expect(settled).toBe(false);
    release();
    const error = await call;
    expect(delivered).toBe(true);
    expect(error.code).toBe('NG_RESULT_STORE_FAILED');
    expect(error.message).toBe('Plugin redis (onResult): no connection');
  });

  test('is tried once more where the stop came before', async () => {
    const { hooks } = guarded({ signal: AbortSignal.abort() });
    let tries = 0;
    hooks.onResult.tap({ name: 'redis', required: true }, () => {
      tries += 1;
      throw broken;
    });
    expect((await failure(hooks.onResult.promise(result, job))).code).toBe('NG_PLUGIN_FAILED');
    expect(tries).toBe(1);
  });

  test('that hangs is tried again after its time', async () => {
    const { hooks, failures } = guarded({ sinkTimeoutMs: 10, sleep: async () => {} });
    let tries = 0;
    hooks.onResult.tapPromise({ name: 'redis', required: true }, () => {
      tries += 1;
      return tries === 1 ? new Promise<void>(() => {}) : Promise.resolve();
    });
    await hooks.onResult.promise(result, job);
    expect(tries).toBe(2);
    expect(failures[0]?.error).toEqual(new Error('it took longer than 10 ms'));
  });

  test('results that are delivered at once do not wait for each other', async () => {
    const { hooks } = guarded({ signal: AbortSignal.abort() });
    hooks.onResult.tapPromise({ name: 'redis', required: true }, (value) =>
      value.requestId === 'bad' ? Promise.reject(broken) : new Promise<void>(() => {}),
    );
    void hooks.onResult.promise({ ...result, requestId: 'hanging' }, job);
    await failure(hooks.onResult.promise({ ...result, requestId: 'bad' }, job));
  });
});
