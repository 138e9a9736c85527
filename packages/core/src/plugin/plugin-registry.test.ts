import { describe, expect, test } from 'vitest';
import type { CoreConfig } from '../config/core-config.js';
import { NanoGridError } from '../errors.js';
import { type Logger, silentLogger } from '../logger.js';
import type { StageListener } from '../stage.js';
import type { JobSource } from '../stores.js';
import type { WorkerStatus } from '../worker-status.js';
import { definePlugin } from './define-plugin.js';
import { createGuardedHooks } from './guard-taps.js';
import type { Lifecycle, Plugin, PluginHost, PluginMetric, Services } from './plugin.js';
import { createPluginHost, PluginRegistry, type PluginRegistryOptions } from './plugin-registry.js';

const config = { environment: 'test' } as CoreConfig;

function registry(options: Partial<PluginRegistryOptions> = {}): PluginRegistry {
  return new PluginRegistry({
    config,
    hooks: createGuardedHooks({ log: silentLogger }),
    log: silentLogger,
    ...options,
  });
}

function plugin(
  name: string,
  apply: (host: PluginHost) => void | Promise<void>,
  provides: readonly (keyof Services)[] = [],
): Plugin {
  const optionsSchema = { type: 'object', properties: {} } as const;
  return definePlugin({ name, version: '1.0.0', core: '*', optionsSchema, provides, apply })();
}

async function failure(work: Promise<unknown>): Promise<NanoGridError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof NanoGridError) return error;
  throw new Error(`no NanoGridError: ${String(error)}`);
}

describe('register', () => {
  test('applies with the host, the checked options and a log that names the plugin', async () => {
    const bindings: unknown[] = [];
    const log: Logger = {
      ...silentLogger,
      child: (fields) => {
        bindings.push(fields);
        return silentLogger;
      },
    };
    const seen: unknown[] = [];
    const greeter = definePlugin({
      name: 'greeter',
      version: '1.0.0',
      core: '*',
      optionsSchema: { type: 'object', properties: { greeting: { type: 'string', default: 'hello' } } },
      env: { GREETING: 'greeting' },
      apply: (host, options) => {
        seen.push(host.config, options.greeting);
      },
    });
    await createPluginHost({
      config,
      hooks: createGuardedHooks({ log }),
      log,
      env: { GREETING: 'good day' },
      plugins: [greeter()],
    });
    expect(seen).toEqual([config, 'good day']);
    expect(bindings).toEqual([{ plugin: 'greeter' }]);
  });

  test('a plugin is told of the worker, where there is one', async () => {
    const hosts: PluginHost[] = [];
    const status = { activeJobs: 3 } as WorkerStatus;
    const keep = () => plugin('curious', (host) => void hosts.push(host));
    await registry().register(keep());
    await registry({ status: async () => status }).register(keep());
    expect(await Promise.all(hosts.map((host) => host.status()))).toEqual([undefined, status]);
  });

  test('a plugin is told where a setting of the worker comes from', async () => {
    const told: string[] = [];
    const sources = { 'code.bucket': 'environment variable S3_CODE_BUCKET', 'output.bucket': 'built-in defaults' };
    const asking = plugin('asking', (host) => {
      told.push(host.settingSource('code.bucket'), host.settingSource('output.bucket'));
    });
    await registry({ sources }).register(asking);
    expect(told).toEqual(['code.bucket (from environment variable S3_CODE_BUCKET)', 'output.bucket (the default)']);
  });

  test('an apply that throws is named', async () => {
    const error = await failure(
      registry().register(
        plugin('bad', () => {
          throw new TypeError('no luck');
        }),
      ),
    );
    expect(error.code).toBe('NG_PLUGIN_FAILED');
    expect(error.message).toBe('Plugin bad failed in apply: no luck');
    expect(error.cause).toBeInstanceOf(TypeError);
  });

  test('the same name twice is refused', async () => {
    const plugins = registry();
    await plugins.register(plugin('one', () => {}));
    const error = await failure(plugins.register(plugin('one', () => {})));
    expect(error.message).toBe('The plugin "one" is registered twice.');
  });

  test('a failing tap is named after the plugin, whatever the tap is called', async () => {
    const hooks = createGuardedHooks({ log: silentLogger });
    const tapping = plugin('audit', (host) => {
      host.hooks.afterExtract.tap('scan', () => {
        throw new Error('virus');
      });
    });
    await createPluginHost({ config, hooks, log: silentLogger, plugins: [tapping] });
    const call = hooks.afterExtract.promise({} as never, {} as never);
    expect((await failure(call)).message).toBe('Plugin audit failed in afterExtract: virus');
  });
});

describe('services', () => {
  const source = { visibilityMs: 1 } as JobSource;

  test('are found by name', async () => {
    const plugins = registry();
    expect(plugins.service('source')).toBeUndefined();
    await plugins.register(plugin('queue', (host) => host.provide('source', source), ['source']));
    expect(plugins.service('source')).toBe(source);
    expect(plugins.require('source')).toBe(source);
  });

  test('a missing one that is required is named', () => {
    expect(() => registry().require('codeStore')).toThrow('No plugin provides the service "codeStore".');
  });

  test('have one provider: a conflict names both', async () => {
    const plugins = registry();
    await plugins.register(plugin('one', (host) => host.provide('source', source), ['source']));
    const error = await failure(plugins.register(plugin('two', (host) => host.provide('source', source), ['source'])));
    expect(error.code).toBe('NG_PLUGIN_INVALID');
    expect(error.message).toContain('The service "source" is provided by both "one" and "two".');
  });

  test('one that the plugin does not declare is refused', async () => {
    const providing = plugin('one', (host) => host.provide('source', source), ['codeStore']);
    const error = await failure(registry().register(providing));
    expect(error.code).toBe('NG_PLUGIN_INVALID');
    expect(error.message).toBe('Plugin one (apply): the service "source" is not among those it declares in "provides"');
  });
});

describe('stages', () => {
  test('reach listeners; one that throws is told of once, and disturbs nobody', async () => {
    const errors: unknown[] = [];
    const log: Logger = { ...silentLogger, error: (fields: unknown) => void errors.push(fields), child: () => log };
    const listeners: StageListener[] = [];
    const plugins = registry({ log, onStageEnd: (listener) => void listeners.push(listener) });
    const fault = new Error('odd');
    const listening = plugin('one', (host) =>
      host.onStageEnd(() => {
        throw fault;
      }),
    );
    await plugins.register(listening);
    const end = { job: undefined, stage: 'exec', startedAt: 1, durationMs: 2, outcome: 'done' } as const;
    for (const listener of [...listeners, ...listeners]) listener(end);
    expect(errors).toEqual([{ err: fault, stage: 'exec' }]);
  });

  test('are never told where no worker runs', async () => {
    await registry().register(plugin('one', (host) => host.onStageEnd(() => {})));
  });
});

describe('metrics', () => {
  const figure = (name: string, value: () => number) => ({ name, kind: 'gauge', help: 'Entries.', value }) as const;
  const metering = (name: string, ...metrics: PluginMetric[]) =>
    plugin(name, (host) => {
      for (const metric of metrics) host.metric(metric);
    });

  test('are told with their plugin; one that throws, or is no number, is left out', async () => {
    const plugins = registry();
    const broken = figure('broken', () => {
      throw new Error('closed');
    });
    await plugins.register(
      metering(
        'outbox',
        figure('outbox_entries', () => 3),
        broken,
        figure('odd', () => NaN),
      ),
    );
    const expected = { plugin: 'outbox', name: 'outbox_entries', kind: 'gauge', help: 'Entries.', value: 3 };
    expect(plugins.figures()).toEqual([expected]);
  });

  test.each(['Outbox', '', 'a-b', 'a{b="c"}', '1a', 'a\nb'])('cannot be called %j', async (name) => {
    const error = await failure(
      registry().register(
        metering(
          'one',
          figure(name, () => 1),
        ),
      ),
    );
    expect(error.message).toContain('has a name that is not in snake case');
  });

  test('have one owner: a conflict names both', async () => {
    const plugins = registry();
    await plugins.register(
      metering(
        'one',
        figure('entries', () => 1),
      ),
    );
    const error = await failure(
      plugins.register(
        metering(
          'two',
          figure('entries', () => 1),
        ),
      ),
    );
    expect(error.message).toContain('The metric "entries" is registered by both "one" and "two".');
  });
});

describe('lifecycle', () => {
  async function withParts(parts: Record<string, Lifecycle>, deadlineMs?: number): Promise<PluginRegistry> {
    const plugins = registry(deadlineMs === undefined ? {} : { deadlineMs, healthDeadlineMs: deadlineMs / 2 });
    for (const [name, part] of Object.entries(parts)) {
      await plugins.register(plugin(name, (host) => host.lifecycle(part)));
    }
    return plugins;
  }

  const noting = (events: string[], name: string): Lifecycle => ({
    start: () => void events.push(`start ${name}`),
    stop: () => void events.push(`stop ${name}`),
  });

  test('starts in order, stops in reverse, and stops once', async () => {
    const events: string[] = [];
    const plugins = await withParts({ a: noting(events, 'a'), b: noting(events, 'b'), c: {} });
    await plugins.start();
    await plugins.stop();
    await plugins.stop();
    expect(events).toEqual(['start a', 'start b', 'stop b', 'stop a']);
  });

  test('stops nothing that was not started', async () => {
    const events: string[] = [];
    const plugins = await withParts({ a: noting(events, 'a') });
    await plugins.stop();
    expect(events).toEqual([]);
  });

  test('a start that fails is named, and what was started is stopped', async () => {
    const events: string[] = [];
    const plugins = await withParts({
      a: noting(events, 'a'),
      b: {
        start: () => Promise.reject(new Error('port in use')),
        stop: () => void events.push('stop b'),
      },
      c: noting(events, 'c'),
    });
    const error = await failure(plugins.start());
    expect(error.code).toBe('NG_PLUGIN_FAILED');
    expect(error.message).toBe('Plugin b failed in start: port in use');
    expect(events).toEqual(['start a', 'stop b', 'stop a']);
  });

  test('all parts are stopped even where some fail, and those are named', async () => {
    const events: string[] = [];
    const plugins = await withParts({
      a: {
        stop: () => {
          throw new Error('first');
        },
      },
      b: noting(events, 'b'),
      c: { stop: () => Promise.reject(new NanoGridError('NG_QUEUE_FAILED', 'second')) },
    });
    await plugins.start();
    const error = await failure(plugins.stop());
    expect(events).toEqual(['start b', 'stop b']);
    expect(error.message).toContain('Plugin a failed in stop: first');
    expect(error.message).toContain('Plugin c (stop): second');
  });

  test('each step has a deadline', async () => {
    const events: string[] = [];
    const never = () => new Promise<void>(() => {});
    const plugins = await withParts({ a: noting(events, 'a'), b: { start: never, stop: never, health: never } }, 20);
    expect(await plugins.health()).toEqual([
      { plugin: 'a', healthy: true },
      { plugin: 'b', healthy: false, message: 'it took longer than 10 ms' },
    ]);
    expect((await failure(plugins.start())).message).toBe('Plugin b failed in start: it took longer than 20 ms');
    expect(events).toEqual(['start a', 'stop a']);
  });

  test('a stop during the start lets the part under way finish and starts no other', async () => {
    const events: string[] = [];
    let opened = () => {};
    const plugins = await withParts({
      a: {
        start: () =>
          new Promise<void>((resolve) => {
            opened = resolve;
          }),
        stop: () => void events.push('stop a'),
      },
      b: noting(events, 'b'),
    });
    const starting = plugins.start();
    await Promise.resolve();
    const stopping = plugins.stop();
    opened();
    await Promise.all([starting, stopping]);
    expect(events).toEqual(['stop a']);
  });

  test('health tells which part is not well', async () => {
    const plugins = await withParts({
      a: { health: () => {} },
      b: { health: () => Promise.reject(new Error('no connection')) },
    });
    expect(await plugins.health()).toEqual([
      { plugin: 'a', healthy: true },
      { plugin: 'b', healthy: false, message: 'no connection' },
    ]);
  });

  test('what fails is told by plugin, without secrets', async () => {
    const refused = () => Promise.reject(new Error('redis://user:hush@cache:6379 refuses'));
    const plugins = await withParts({ a: { health: () => {} }, b: { health: refused } });
    expect(await plugins.failing()).toEqual({ b: 'redis://***@cache:6379 refuses' });
  });

  test('a part that comes too late is refused', async () => {
    let late: PluginHost | undefined;
    const plugins = registry();
    await plugins.register(
      plugin('late', (host) => {
        late = host;
      }),
    );
    await plugins.start();
    expect(() => late?.lifecycle({})).toThrow('Plugin late: lifecycle() was called after the worker started');
  });
});
