/** Every container the worker makes has the posture of the golden record, from outside and from inside, whatever ran in it. */

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { createDockerClient } from '@nanogrid/core';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attacker, attackFiles, inspectByHostname, ownContainers, RUNTIMES } from '../support/attacks.js';
import { missingDefaults, postureOf } from '../support/posture.js';
import { shell } from '../support/shell-runtime.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

const docker = createDockerClient(undefined);
const secret = randomBytes(16).toString('hex');
let worker: TestWorker;

beforeAll(async () => {
  // What the worker's process knows, a job must not.
  process.env.NANOGRID_TEST_SECRET = secret;
  worker = await startTestWorker({ runtimes: [python({ preload: [] }), shell] });
});

afterAll(async () => {
  delete process.env.NANOGRID_TEST_SECRET;
  await worker?.close();
});

const golden = (name: string) => new URL(`../../tests/golden/${name}`, import.meta.url).pathname;

describe.each(RUNTIMES)('%s', (runtime) => {
  test('from outside: an idle container, and one after its jobs', async () => {
    const [idle] = (await ownContainers()).filter(({ Labels }) => Labels['nanogrid.runtime'] === runtime);
    const before = await docker.getContainer(idle?.Id ?? '').inspect();
    expect(missingDefaults(before)).toEqual([]);
    await expect(postureOf(before)).toMatchFileSnapshot(golden(`posture-${runtime}.json`));

    const key = await worker.put(attackFiles('escape.sh', runtime));
    const job = { key, runtime, functionId: 'escape', memoryMb: 96 };
    await worker.run(undefined, job);
    const second = await worker.run(undefined, job);
    expect(second.phases.start).toBe('reused');
    const after = await inspectByHostname(/^host (\S+)$/m.exec(second.stdout)?.[1] ?? '');
    await expect(postureOf(after)).toMatchFileSnapshot(golden(`posture-${runtime}.json`));
    const extraMb = after.HostConfig.Memory ?? 0;
    expect(extraMb / 2 ** 20).toBeGreaterThanOrEqual(96);
    expect(extraMb / 2 ** 20).toBeLessThanOrEqual(96 + 160 + 8);
  });

  test('from inside', async () => {
    const { stdout, stderr } = await attacker(worker, runtime)('inside.sh');
    expect(stderr).toBe('');
    await expect(stdout).toMatchFileSnapshot(golden(`inside-${runtime}.txt`));
  });

  test('nothing of the host or the worker is to be seen', async () => {
    const result = await attacker(worker, runtime)('search.sh');
    expect(result.stdout).toContain('searched');
    for (const hidden of [secret, worker.directory, process.cwd(), 'docker.sock', `${hostname()}\n`]) {
      expect(result.stdout).not.toContain(hidden);
    }
  });
});

test('a volume that an image declares is no place to write to', async () => {
  const tag = `nanogrid-test-${randomBytes(6).toString('hex')}`;
  const container = await docker.createContainer({ Image: 'debian:trixie-slim', Cmd: ['true'] });
  try {
    await container.commit({
      repo: tag,
      tag: 'latest',
      changes: 'VOLUME ["/srv", "/tmp", "/nanogrid/bin", "/a/../opt/"]',
    });
    const declaring = { ...shell, name: 'declaring', aliases: [], image: `${tag}:latest` };
    await using other = await startTestWorker({ runtimes: [declaring] });
    const script =
      'hostname; for d in /srv /opt; do (echo x > $d/x) 2>/dev/null && echo wrote $d; done; echo x > /tmp/x';
    const result = await other.run({ 'main.sh': script }, { runtime: 'declaring' });
    expect(result).toMatchObject({ status: 'SUCCESS', stdout: expect.stringMatching(/^[0-9a-f]{12}\n$/) });
    const { Mounts: mounts } = await inspectByHostname(result.stdout.trim());
    const facts = mounts.map(({ Type, Destination, RW }) => `${Type} ${Destination} ${RW}`).sort();
    expect(facts).toEqual(['tmpfs /opt false', 'tmpfs /srv false', 'volume /nanogrid/bin false']);
  } finally {
    await container.remove({ force: true, v: true });
    await docker.getImage(`${tag}:latest`).remove({ force: true });
  }
});
