/** A worker that is killed while it builds: nothing of it stays, and the next one builds again. */

import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLocal } from '@nanogrid/plugin-local';
import { afterEach, expect, test } from 'vitest';
import { containersOf, programsOf, startProcess } from '../support/start-process.js';
import { zip } from '../support/zip.js';

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** Takes the compiler some seconds, and says when it was built. */
const SLOW_TO_BUILD = `#include <cstdio>
constexpr int slow() {
  int sum = 0;
  for (int i = 0; i < 120; i++)
    for (int j = 0; j < 10000; j++) sum ^= i * j;
  return sum;
}
static_assert(slow() >= 0);
int main() { std::printf("\\"%s\\"\\n", __TIME__); }
`;

test('a worker that is killed in the middle of a build: the next builds again, with one result for each job', {
  timeout: 1_200_000,
}, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'nanogrid-test-'));
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  await mkdir(join(directory, 'data'));
  const client = await openLocal({ directory: join(directory, 'data') });
  cleanups.push(() => client.close());
  await client.code.put({ bucket: undefined, key: 'f.zip' }, await zip({ 'main.cpp': SLOW_TO_BUILD }));
  const send = (requestId: string) =>
    client.queue.send(JSON.stringify({ requestId, runtime: 'cpp', s3Key: 'f.zip', functionId: 'f' }));
  const results = (ids: readonly string[]) =>
    Promise.all(ids.map((id) => client.results.wait(id, AbortSignal.timeout(200_000))));
  const inCache = (...path: string[]) => readdir(join(directory, 'work/artifact-cache', ...path));
  const artifacts = async () => (await inCache()).filter((name) => name.length === 64);

  async function start() {
    const { child, stop } = await startProcess(directory);
    cleanups.push(stop);
    return {
      child,
      end: async (signal: NodeJS.Signals) => {
        child.kill(signal);
        const [exitCode] = await once(child, 'exit');
        return exitCode;
      },
    };
  }

  // Both wait for the one build.
  const ids = ['a', 'b'];
  for (const id of ids) send(id);
  const first = await start();
  await expect.poll(() => programsOf(first.child.pid), { timeout: 600_000, interval: 50 }).toContain('cc1plus');
  await first.end('SIGKILL');
  expect(await client.results.get('a')).not.toMatchObject({ state: 'completed' });
  expect(await artifacts()).toEqual([]);
  const halfDone = await inCache('tmp');
  expect(halfDone).toHaveLength(1);
  await expect.poll(() => containersOf(first.child.pid)).toEqual([]);

  const second = await start();
  // Swept at the start; there may be the second one's own by now.
  expect(await inCache('tmp')).not.toContain(halfDone[0]);
  const [a, b] = await results(ids);
  expect([a?.status, b?.status]).toEqual(['SUCCESS', 'SUCCESS']);
  expect(a?.result).toMatch(/^\d\d:\d\d:\d\d$/);
  expect(b?.result).toBe(a?.result);
  expect(await artifacts()).toHaveLength(1);
  expect([a?.attempt, b?.attempt].every((attempt) => Number(attempt) >= 2)).toBe(true);
  expect(await second.end('SIGTERM')).toBe(0);
  expect(await containersOf(second.child.pid)).toEqual([]);
  expect([await inCache('tmp'), await inCache('users')]).toEqual([[], []]);

  // What was built is whole: a third worker only starts it.
  const third = await start();
  send('c');
  const [c] = await results(['c']);
  expect(c).toMatchObject({ status: 'SUCCESS', result: a?.result, attempt: 1 });
  expect(await third.end('SIGTERM')).toBe(0);
  expect(await client.queue.stats()).toMatchObject({ waiting: 0, inFlight: 0 });
});
