/** What the tests of this package share: folders that go away, entries, a logger that remembers. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogFn, Logger } from '@nanogrid/core';
import { onTestFinished } from 'vitest';
import type { EncodedResult } from './redis-commands.js';

/** A new folder, removed after the test. */
export async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nanogrid-outbox-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export function makeEntry(jobId: string, more: Partial<EncodedResult> = {}): EncodedResult {
  return { jobId, state: 'completed', body: JSON.stringify({ requestId: jobId, status: 'SUCCESS' }), ...more };
}

export interface Line {
  readonly level: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export function rememberingLogger(): Logger & { readonly lines: Line[] } {
  const lines: Line[] = [];
  const at =
    (level: string): LogFn =>
    (fields: object | string, message?: string) =>
      void lines.push(
        typeof fields === 'string'
          ? { level, fields: {}, message: fields }
          : { level, fields: { ...fields }, message: message ?? '' },
      );
  const log = { trace: at('trace'), debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), lines };
  return { ...log, child: () => ({ ...log, child: () => log as never }) };
}
