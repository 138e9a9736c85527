import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { isDead, LABELS, workerIdentity } from './worker-identity.js';

const self = workerIdentity();
const labels = (process: string, host = self.host) => ({ [LABELS.host]: host, [LABELS.process]: process });

test('a live process is alive, one that ended is dead', async () => {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: 'pipe' });
  await once(child, 'spawn');
  const owner = workerIdentity(child.pid).process;
  expect(isDead(labels(owner), self)).toBe(false);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(isDead(labels(owner), self)).toBe(true);
});

test('another process that has the id of a dead one does not keep it alive', () => {
  expect(isDead(labels(`${process.ppid}.1`), self)).toBe(true);
});

test('what cannot be told is not dead: other machines, missing labels', () => {
  expect(isDead(labels('1.1', 'elsewhere'), self)).toBe(false);
  expect(isDead({ [LABELS.host]: self.host }, self)).toBe(false);
  expect(isDead(labels(self.process), self)).toBe(false);
});
