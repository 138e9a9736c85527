/** Completes merged settings: values that depend on others or on the machine, and the checks between values. Owns no state. */

import { dirname, join, resolve } from 'node:path';
import { addressRangeFault } from '../network/address-guard.js';
import { parseRange } from '../network/address-range.js';
import { allowFault } from '../network/egress-policy.js';
import type { CoreConfig } from './core-config.js';
import { defaultSlots, defaultWorkerMemoryMb, type Machine } from './defaults.js';
import { type Layer, layerOf } from './merge-layers.js';
import { nearest } from './nearest.js';
import { isPlainObject } from './plain-object.js';
import { joinPath, type Problem } from './problem.js';

export interface DeriveContext {
  readonly environment: string | undefined;
  /** The configuration file, where there is one. */
  readonly filePath: string | undefined;
  readonly cwd: string;
  readonly machine: Machine;
}

/** Settings as the layers leave them: everything with a fixed default is there. */
type Merged = Omit<CoreConfig, 'worker' | 'code' | 'dataDir' | 'environment'> & {
  readonly dataDir?: string;
  readonly worker: Partial<CoreConfig['worker']> & Pick<CoreConfig['worker'], 'prefetch' | 'drainTimeoutMs'>;
  readonly code: Omit<CoreConfig['code'], 'allowedBuckets'> & { readonly allowedBuckets?: readonly string[] };
};

/** The complete configuration, not yet checked across its values. `merged` was checked against the schema. */
export function deriveConfig(merged: Record<string, unknown>, context: DeriveContext): CoreConfig {
  const settings = merged as unknown as Merged;
  const { job, worker, code, sandbox, pool } = settings;
  const home = context.filePath === undefined ? context.cwd : dirname(context.filePath);
  return {
    environment: context.environment,
    dataDir: settings.dataDir ?? join(home, '.nanogrid'),
    workDir: settings.workDir,
    aiEndpoint: settings.aiEndpoint,
    worker: {
      slots: worker.slots ?? defaultSlots(context.machine),
      memoryMb: worker.memoryMb ?? defaultWorkerMemoryMb(context.machine, job.memoryMb),
      prefetch: worker.prefetch,
      drainTimeoutMs: worker.drainTimeoutMs,
    },
    http: settings.http,
    controller: settings.controller,
    job,
    code: { ...code, allowedBuckets: code.allowedBuckets ?? [code.bucket] },
    build: settings.build,
    output: settings.output,
    functions: settings.functions,
    network: settings.network,
    reuse: settings.reuse,
    sandbox: { ...sandbox, ociRuntime: sandbox.ociRuntime },
    pool: { ...pool, maxContainers: pool.maxContainers },
    docker: { host: settings.docker?.host },
  };
}

/** What is wrong between values that are each valid. `runtimeNames` are the registered ones. */
export function crossProblems(
  config: CoreConfig,
  layers: readonly Layer[],
  runtimeNames: readonly string[],
): Problem[] {
  const problems: Problem[] = [];
  const { job, worker, code, pool } = config;
  const fault = (path: string, value: unknown, reason: string, suggestion?: string, keys = path.split('.')) => {
    const source = layerOf(layers, keys)?.source ?? 'built-in defaults';
    problems.push({ path, value, reason, source, ...(suggestion === undefined ? {} : { suggestion }) });
  };
  const atMost = (path: string, value: number, limitPath: string, limit: number) => {
    if (value > limit) fault(path, value, `must be at most ${limitPath}, which is ${limit}`);
  };
  atMost('job.memoryMb', job.memoryMb, 'job.maxMemoryMb', job.maxMemoryMb);
  atMost('job.timeoutMs', job.timeoutMs, 'job.maxTimeoutMs', job.maxTimeoutMs);
  atMost('job.graceMs', job.graceMs, 'job.timeoutMs', job.timeoutMs);
  if (worker.memoryMb < job.memoryMb) {
    fault('worker.memoryMb', worker.memoryMb, `must be at least job.memoryMb, which is ${job.memoryMb}`);
  }
  for (const [id, { memoryMb = 0, timeoutMs = 0 }] of Object.entries(config.functions)) {
    const caps = [
      ['memoryMb', memoryMb, 'maxMemoryMb', job.maxMemoryMb],
      ['timeoutMs', timeoutMs, 'maxTimeoutMs', job.maxTimeoutMs],
    ] as const;
    for (const [key, value, cap, most] of caps) {
      const keys = ['functions', id, key];
      if (value <= most) continue;
      fault(keys.reduce(joinPath, ''), value, `must be at most job.${cap}, which is ${most}`, undefined, keys);
    }
  }
  if (!code.allowedBuckets.includes(code.bucket)) {
    fault(
      'code.allowedBuckets',
      code.allowedBuckets,
      `must include code.bucket, which is ${JSON.stringify(code.bucket)}`,
    );
  }
  if (config.aiEndpoint !== undefined && !URL.canParse(config.aiEndpoint)) {
    fault('aiEndpoint', config.aiEndpoint, 'must be an http:// or https:// address');
  }
  for (const key of ['allow', 'dns'] as const) {
    for (const text of config.network[key]) {
      const reason = allowFault(text);
      if (reason !== undefined) fault(`network.${key}`, text, reason);
    }
  }
  for (const text of config.controller.callbacks.allow) {
    const reason = addressRangeFault(text);
    if (reason !== undefined) fault('controller.callbacks.allow', text, reason);
  }
  for (const text of config.network.deny) {
    if (!parseRange(text)) fault('network.deny', text, 'must be an IPv4 address or range like 203.0.113.0/24');
  }
  for (const [id, grant] of Object.entries(config.network.grants)) {
    if (grant === 'ai' && config.aiEndpoint === undefined) {
      fault(`network.grants.${id}`, grant, 'needs "aiEndpoint", which is not set');
    }
  }
  const byRuntime = [
    ...Object.entries(pool.sizes).map((entry) => ['pool.sizes', ...entry] as const),
    ...Object.entries(config.reuse.runtimes).map((entry) => ['reuse.runtimes', ...entry] as const),
  ];
  for (const [path, name, value] of byRuntime) {
    if (runtimeNames.includes(name)) continue;
    const known = runtimeNames.length === 0 ? 'there are none' : `there are ${runtimeNames.join(', ')}`;
    fault(
      `${path}.${name}`,
      value,
      `is for a runtime that is not in "runtimes", ${known}`,
      nearest(name, runtimeNames),
    );
  }
  return problems;
}

/** The layer with its folders made absolute: relative ones start from where the layer comes from. */
export function withAbsoluteFolders(layer: Layer): Layer {
  const folders = ['dataDir', 'workDir'].flatMap((key) => {
    const folder = layer.value[key];
    return typeof folder === 'string' ? [[key, resolve(layer.baseDir, folder)]] : [];
  });
  return { ...layer, value: { ...layer.value, ...Object.fromEntries(folders) } };
}

/** Where each value of the configuration comes from, by its path. */
export function valueSources(config: CoreConfig, layers: readonly Layer[]): Record<string, string> {
  const sources: Record<string, string> = {};
  const walk = (value: unknown, path: readonly string[]) => {
    if (isPlainObject(value) && Object.keys(value).length > 0) {
      for (const [key, inner] of Object.entries(value)) walk(inner, [...path, key]);
    } else if (value !== undefined) {
      sources[path.join('.')] = layerOf(layers, path)?.source ?? 'built-in defaults';
    }
  };
  const { environment: _chosen, ...settings } = config;
  walk(settings, []);
  return sources;
}
