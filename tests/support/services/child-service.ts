/** A server of another make as a child of this process: started until it says that it is ready, ended by its process id. Owns the process. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';

export interface ChildOptions {
  /** What the program writes when it can be used. */
  readonly ready: RegExp;
  /** How it is asked to end. Default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
  readonly env?: NodeJS.ProcessEnv;
  /** An extra channel for Node's own messages. Default false. */
  readonly ipc?: boolean;
}

export interface ChildService {
  readonly child: ChildProcess;
  readonly pid: number;
  /** What it has written, the last 64 KiB. */
  readonly output: () => string;
  readonly running: () => boolean;
  /** Idempotent; what does not end within 20 s is killed. */
  readonly stop: () => Promise<void>;
  /** At once, as a machine does that loses its power. */
  readonly kill: () => Promise<void>;
}

const START_TIMEOUT_MS = 200_000;
const STOP_TIMEOUT_MS = 20_000;
const KEPT_BYTES = 65_536;
const SETPRIV = '/usr/bin/setpriv';

/** Throws with what the program wrote where it ends, or is not ready within 200 s. */
export async function startChild(
  program: string,
  args: readonly string[],
  options: ChildOptions,
): Promise<ChildService> {
  // Where the system can: a test that is killed takes its servers along.
  const bound = existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'KILL', '--', program] : [program];
  const [command = program, ...rest] = [...bound, ...args];
  const child = spawn(command, rest, {
    stdio: ['ignore', 'pipe', 'pipe', ...(options.ipc ? (['ipc'] as const) : [])],
    env: options.env ?? process.env,
  });
  let output = '';
  let spawnError: Error | undefined;
  const running = () => child.pid !== undefined && child.exitCode === null && child.signalCode === null;
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      spawnError = error;
      resolve();
    });
    child.once('exit', () => resolve());
  });
  const kill = async () => {
    if (running()) child.kill('SIGKILL');
    await ended;
  };
  const stop = async () => {
    if (running()) {
      // One that was stopped by a signal would never see the other.
      child.kill('SIGCONT');
      child.kill(options.stopSignal ?? 'SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(timer);
    }
    await ended;
  };
  const ready = new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-KEPT_BYTES);
        if (options.ready.test(output)) resolve();
      });
    }
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`was not ready within ${START_TIMEOUT_MS / 1000} s`), START_TIMEOUT_MS);
  });
  const outcome = await Promise.race([ready, ended.then(() => 'ended'), late]);
  clearTimeout(timer);
  if (typeof outcome === 'string') {
    await kill();
    throw new Error(`${program} ${outcome}: ${spawnError?.message ?? output.slice(-4000)}`);
  }
  return { child, pid: child.pid as number, output: () => output, running, stop, kill };
}

/** Resolves with the process's end; throws where it has not ended within `timeoutMs`. */
export async function ended(
  child: ChildProcess,
  timeoutMs: number,
): Promise<{ code: number | null; signal: string | null }> {
  if (child.exitCode === null && child.signalCode === null) {
    await once(child, 'exit', { signal: AbortSignal.timeout(timeoutMs) });
  }
  return { code: child.exitCode, signal: child.signalCode };
}
