/** What weight a container has among others and what share it gets, in the host's files. Owns no state. */

import { readFile, writeFile } from 'node:fs/promises';
import { createDockerClient } from '@nanogrid/core';

const docker = createDockerClient(undefined);

const PERIOD_US = 100_000;

/** `cpu.shares` of cgroup v1, else `cpu.weight` of v2. `id`: of the container, or its beginning. */
export async function cpuWeightOf(id: string): Promise<number> {
  const { version, path } = await cpuGroupOf(id);
  return Number(await readFile(`${path}/${version === 1 ? 'cpu.shares' : 'cpu.weight'}`, 'utf8'));
}

/** Gives a container another share, of a processor; returns what takes that back. */
export async function setCpuShare(id: string, share: number): Promise<() => Promise<void>> {
  const { version, path } = await cpuGroupOf(id);
  const file = `${path}/${version === 1 ? 'cpu.cfs_quota_us' : 'cpu.max'}`;
  const before = await readFile(file, 'utf8');
  await writeFile(file, version === 1 ? `${PERIOD_US * share}` : `${PERIOD_US * share} ${PERIOD_US}`);
  return () => writeFile(file, before);
}

/** Processor time that it has used, in milliseconds, as the engine tells. */
export async function cpuTimeOf(id: string): Promise<number> {
  const stats = await docker.getContainer(id).stats({ stream: false });
  return stats.cpu_stats.cpu_usage.total_usage / 1e6;
}

async function cpuGroupOf(id: string): Promise<{ version: 1 | 2; path: string }> {
  const { State } = await docker.getContainer(id).inspect();
  const groups = (await readFile(`/proc/${State.Pid}/cgroup`, 'utf8')).split('\n').map((line) => line.split(':'));
  const v1 = groups.find(([, controllers = '']) => controllers.split(',').includes('cpu'));
  const [, , path = ''] = v1 ?? groups.find(([number]) => number === '0') ?? [];
  return v1 ? { version: 1, path: `/sys/fs/cgroup/cpu${path}` } : { version: 2, path: `/sys/fs/cgroup${path}` };
}
