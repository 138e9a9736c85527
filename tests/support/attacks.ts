/** The attacks in `tests/functions/attacks` as functions, and what the rest of the worker must still be after one. */

import { readFileSync } from 'node:fs';
import { createDockerClient } from '@nanogrid/core';
import { expect } from 'vitest';
import type { JobOptions, PublishedResult, TestWorker } from './test-worker.js';

/** The runtimes with a waiting process and without one. */
export const RUNTIMES = ['shell', 'python'] as const;
export type RuntimeName = (typeof RUNTIMES)[number];

const FOLDER = new URL('../../tests/functions/attacks/', import.meta.url);
const docker = createDockerClient(undefined);

/** The files of a function that runs this attack; a shell script runs in every runtime. */
export function attackFiles(file: string, runtime: RuntimeName): Record<string, string> {
  const text = readFileSync(new URL(file, FOLDER), 'utf8');
  if (runtime === 'shell') return { 'main.sh': text };
  if (file.endsWith('.py')) return { 'main.py': text };
  return {
    'main.py': `import subprocess, sys
code = subprocess.run(["sh", "job.sh"], stdin=sys.stdin).returncode
sys.exit(code if code >= 0 else 128 - code)`,
    'job.sh': text,
  };
}

/** The runtimes that an attack applies to. */
export function runtimesOf(file: string): readonly RuntimeName[] {
  return file.endsWith('.py') ? ['python'] : RUNTIMES;
}

/** Runs attacks, each as a function of its own. */
export function attacker(worker: TestWorker, runtime: RuntimeName) {
  return async (file: string, job: JobOptions = {}): Promise<PublishedResult> =>
    worker.run(attackFiles(file, runtime), { runtime, functionId: `${runtime}-${file}`, ...job });
}

/** A neighbour: a function with a container of its own. What is returned checks that nothing has happened to it. */
export async function neighbourOf(worker: TestWorker, runtime: RuntimeName): Promise<() => Promise<void>> {
  const key = await worker.put({ 'main.sh': 'hostname', 'main.py': 'import os; print(os.uname().nodename)' });
  const job = { key, runtime, functionId: `${runtime}-neighbour`, timeoutMs: 30_000 };
  const before = await worker.run(undefined, job);
  expect(before.status).toBe('SUCCESS');
  return async () => {
    const after = await worker.run(undefined, job);
    expect(after).toMatchObject({ status: 'SUCCESS', stdout: before.stdout, attempt: 1, phases: { start: 'reused' } });
  };
}

/** The containers of this process's worker. */
export async function ownContainers() {
  const all = await docker.listContainers({ all: true, filters: { label: ['nanogrid.role=job'] } });
  return all.filter(({ Labels }) => Labels['nanogrid.process']?.startsWith(`${process.pid}.`));
}

/** What the engine says of the container that a job saw as its host. */
export async function inspectByHostname(hostname: string) {
  const found = (await ownContainers()).find(({ Id }) => Id.startsWith(hostname));
  if (!found) throw new Error(`no container of this worker is called ${hostname}`);
  return docker.getContainer(found.Id).inspect();
}
