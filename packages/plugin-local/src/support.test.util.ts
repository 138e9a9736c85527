/** What the tests of this package share: folders that go away, clocks that stand still, processes that run the built package. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { JobResult } from '@nanogrid/core';
import { onTestFinished, vi } from 'vitest';
import type { Clock } from './clock.js';
import { type Local, type LocalOptions, openLocal } from './open-local.js';

/** A new folder, removed after the test. */
export async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nanogrid-local-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Opens the twins and closes them after the test. */
export async function makeLocal(options: Partial<LocalOptions> = {}): Promise<Local> {
  const local = await openLocal({ directory: options.directory ?? (await makeFolder()), waitMs: 0, ...options });
  onTestFinished(() => local.close());
  return local;
}

/** A clock that moves only when it is told to. */
export class ManualClock implements Clock {
  uptime = 1_000_000;
  wall = 1_800_000_000_000;
  boot = 'first boot';
  readonly uptimeMs = () => this.uptime;
  readonly wallMs = () => this.wall;
  readonly bootId = () => this.boot;
}

/** Time that a test with processes of its own may take on a loaded machine, in milliseconds. What it promises it asserts itself. */
export const CHILD_TEST_MS = 180_000;

/**
 * Until the test ends, timers of this process run at a hundredth of their speed: what happens within the test happens for
 * another reason than that somebody looked again after a while, however slow the machine is.
 */
export function slowTimers(): void {
  const { clearInterval: clear } = globalThis;
  const beat = setInterval(() => vi.advanceTimersByTime(1), 100);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
  onTestFinished(() => {
    vi.useRealTimers();
    clear(beat);
  });
}

/** A signal that never aborts. */
export const never: AbortSignal = new AbortController().signal;

export function makeResult(requestId: string, more: Partial<JobResult> = {}): JobResult {
  const zero = { queue: 0, fetch: 0, extract: 0, acquire: 0, build: 0, exec: 1, collect: 0, publish: 0 };
  return {
    requestId,
    runtime: 'any',
    status: 'SUCCESS',
    stdout: '',
    stderr: '',
    durationMs: 1,
    phases: { ...zero, start: 'cold' },
    memoryMb: 128,
    outputFiles: [],
    attempt: 1,
    ...more,
  };
}

/** A process that runs a script over the built package; killed after the test where it still lives. */
export interface Child {
  readonly process: ChildProcess;
  /** Lines it has printed so far. */
  readonly lines: string[];
  /** Resolves once `count` lines were printed; rejects where it ends first. */
  printed(count: number): Promise<void>;
  /** Resolves when it has ended and all of its output was read. */
  ended: Promise<void>;
}

/**
 * `script` is the body of a module; it sees `openLocal`, `options` and `print(line)`. What was printed is read even where
 * the process is killed next: `print` waits while the reader is slow, which `process.stdout` does not. It would keep the
 * lines that the pipe has no room for in memory and let the script go on.
 */
export function runChild(options: LocalOptions, script: string): Child {
  const entry = new URL('../dist/index.js', import.meta.url).href;
  const source = `
    import { writeSync } from 'node:fs';
    import { openLocal } from ${JSON.stringify(entry)};
    const options = ${JSON.stringify(options)};
    const print = (line) => {
      for (let rest = Buffer.from(line + '\\n'); rest.length > 0; ) {
        try {
          rest = rest.subarray(writeSync(1, rest));
        } catch (error) {
          if (error.code !== 'EAGAIN') throw error;
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
        }
      }
    };
    ${script}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on('line', (line) => lines.push(line));
  const ended = Promise.all([once(child, 'close'), once(reader, 'close')]).then(() => {});
  const printed = async (count: number): Promise<void> => {
    while (lines.length < count) {
      const open = await Promise.race([once(reader, 'line').then(() => true), ended.then(() => false)]);
      if (!open && lines.length < count) throw new Error(`the child ended after ${lines.length} lines`);
    }
  };
  return { process: child, lines, printed, ended };
}
