/** Workers in processes of their own, which a test may kill. Owns nothing: who starts one calls `stop`. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createDockerClient } from '@nanogrid/core';

const docker = createDockerClient(undefined);

export interface WorkerProcess {
  readonly child: ChildProcess;
  /** How many containers of its shell it has, by state. */
  pool(): Promise<Readonly<Record<string, number>>>;
  /** Ends it at once where it still runs. */
  stop(): Promise<void>;
}

/** Starts `worker-process.ts` on the `data` and `work` of a folder; resolves when it is ready. */
export async function startProcess(directory: string): Promise<WorkerProcess> {
  const script = new URL('../../.build/tests/support/worker-process.js', import.meta.url);
  const child = fork(script, [join(directory, 'data'), join(directory, 'work')], { stdio: 'inherit', execArgv: [] });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  const pool = async () => {
    const answer = once(child, 'message');
    child.send('pool');
    return (await answer)[0];
  };
  const [message] = await Promise.race([once(child, 'message'), once(child, 'exit')]);
  if (message === 'ready') return { child, pool, stop };
  await stop();
  throw new Error(`the worker ended before it was ready: ${message}`);
}

/** Names of the containers of a worker process, in any state. */
export async function containersOf(pid: number | undefined): Promise<string[]> {
  const all = await docker.listContainers({ all: true, filters: { label: ['nanogrid.role=job'] } });
  return all
    .filter(({ Labels }) => Labels['nanogrid.process']?.startsWith(`${pid}.`))
    .map(({ Names }) => Names[0]?.slice(1) ?? '');
}

/** The command lines of what runs in a worker process's containers. */
export async function programsOf(pid: number | undefined): Promise<string> {
  const listings = (await containersOf(pid)).map((name) =>
    docker
      .getContainer(name)
      .top()
      .catch(() => undefined),
  );
  return (await Promise.all(listings)).flatMap((listing) => listing?.Processes ?? []).join('\n');
}
