/** What weight a container has among others, as the host's kernel counts. Owns no state. */

import { readFile } from 'node:fs/promises';
import { createDockerClient } from '@nanogrid/core';

const docker = createDockerClient(undefined);

/** `cpu.shares` of cgroup v1, else `cpu.weight` of v2. `id`: of the container, or its beginning. */
export async function cpuWeightOf(id: string): Promise<number> {
  const { State } = await docker.getContainer(id).inspect();
  const groups = (await readFile(`/proc/${State.Pid}/cgroup`, 'utf8')).split('\n').map((line) => line.split(':'));
  const v1 = groups.find(([, controllers = '']) => controllers.split(',').includes('cpu'));
  const [, , path = ''] = v1 ?? groups.find(([number]) => number === '0') ?? [];
  const file = v1 ? `/sys/fs/cgroup/cpu${path}/cpu.shares` : `/sys/fs/cgroup${path}/cpu.weight`;
  return Number(await readFile(file, 'utf8'));
}
