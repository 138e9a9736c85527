/** What the figures were taken on. Owns no state. */

import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';

/** Facts of machine and programs, for `machine.json`. */
export async function describeMachine(docker, python) {
  const engine = await docker.version();
  const info = await docker.info();
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model ?? 'unknown',
    processors: availableParallelism(),
    memoryGiB: Math.round((totalmem() / 2 ** 30) * 10) / 10,
    system: `${type()} ${release()}`,
    distribution: distribution(),
    node: process.version,
    engine: engine.Version,
    storageDriver: info.Driver,
    cgroupVersion: info.CgroupVersion ?? '1',
    hostPython: python?.version ?? null,
    loadBefore: Math.round(loadavg()[0] * 100) / 100,
  };
}

function distribution() {
  try {
    return /^PRETTY_NAME="?(.*?)"?$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown';
  } catch {
    return 'unknown';
  }
}
