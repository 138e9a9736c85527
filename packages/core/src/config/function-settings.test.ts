/** Limits of single functions, and the share of processors: what is refused before anything starts. */

import { tmpdir } from 'node:os';
import { describe, expect, test } from 'vitest';
import { loadConfig } from './load-config.js';
import type { Settings } from './user-config.js';

const load = (settings: Settings) => loadConfig({ cwd: tmpdir(), overrides: settings });

describe('what cannot be kept is refused, with the path', () => {
  test.each([
    ['functions.f.memoryMb', { functions: { f: { memoryMb: 4_000 } } }, /at most job.maxMemoryMb, which is 3008/],
    ['functions.a.b.timeoutMs', { functions: { 'a.b': { timeoutMs: 900_001 } } }, /at most job.maxTimeoutMs.*command/],
    ['functions.f.memoryMb', { functions: { f: { memoryMb: 5 } } }, />= 6/],
    ['functions.f.pids', { functions: { f: { pids: 3 } } }, />= 4/],
    ['functions.f.cpus', { functions: { f: { cpus: 0 } } }, />= 0.01/],
    ['functions.f.cpus', { functions: { f: { cpus: 'all' as never } } }, /a number, or "by-memory"/],
    ['functions.f.memoryMB', { functions: { f: { memoryMB: 64 } as never } }, /did you mean "memoryMb"/],
    ['functions', { functions: { '*': { pids: 8 } } }, /function id/],
    ['sandbox.cpus', { sandbox: { cpus: 'by-cpu' as never } }, /a number, or "by-memory"/],
  ])('%s: %j', async (path, settings, reason) => {
    const error = await load(settings as Settings).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error).toMatchObject({ code: 'NG_CONFIG_INVALID', message: expect.stringMatching(reason) });
    expect(error?.message).toContain(path);
  });
});

test('what can is kept', async () => {
  const functions = {
    'thumbs.v2': { memoryMb: 3_008, timeoutMs: 900_000, cpus: 'by-memory', pids: 4, diskMb: 1 },
  } as const;
  const { config } = await load({ functions, sandbox: { cpus: 'by-memory' } });
  expect(config.functions).toEqual(functions);
  expect(config.sandbox.cpus).toBe('by-memory');
});
