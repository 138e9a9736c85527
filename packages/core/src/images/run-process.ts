/** Runs a program of the host to its end, killing it and its children on abort. A call owns the process it starts. */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { LastLines } from './image-errors.js';

export interface RunOptions {
  readonly signal: AbortSignal;
  /** Called with each piece of what the program says on stderr. */
  readonly onMessage?: (text: string) => void;
  /** Takes stdout; without it stdout is discarded. */
  readonly onStdout?: (stdout: Readable) => void;
}

/** How long a program may take to clean up after SIGTERM, in milliseconds. */
const KILL_AFTER_MS = 10_000;

/**
 * Runs `command`; resolves when it exits with 0 and its output has ended. Rejects with its last lines otherwise, with
 * the spawn error (`ENOENT` where it is not installed), or with the signal's reason once it is dead.
 */
export async function runProcess(command: readonly [string, ...string[]], options: RunOptions): Promise<void> {
  const { signal, onMessage, onStdout } = options;
  signal.throwIfAborted();
  const [program, ...args] = command;
  // A process group of its own, so that the kill reaches what the program starts.
  const child = spawn(program, args, { detached: true, stdio: ['ignore', onStdout ? 'pipe' : 'ignore', 'pipe'] });
  const lastLines = new LastLines();
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    lastLines.add(text);
    onMessage?.(text);
  });
  if (child.stdout !== null) onStdout?.(child.stdout);
  let killTimer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    killGroup(child, 'SIGTERM');
    killTimer = setTimeout(() => {
      killGroup(child, 'SIGKILL');
      // A process that left the group may still hold the pipes.
      child.stdout?.destroy();
      child.stderr?.destroy();
    }, KILL_AFTER_MS);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const end = await new Promise<number | string>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signalName) => resolve(code ?? signalName ?? 'unknown'));
    });
    signal.throwIfAborted();
    if (end !== 0) throw new Error(`${program} ended with ${end}${lastLines.toString()}`);
  } finally {
    clearTimeout(killTimer);
    signal.removeEventListener('abort', onAbort);
  }
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has ended already.
  }
}
