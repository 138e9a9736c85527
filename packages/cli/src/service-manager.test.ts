import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, silentLogger } from '@nanogrid/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ServiceManager } from './service-manager.js';

let folder: string;
let command: string;
let manager: ServiceManager | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nanogrid-notify-'));
  // Writes down what it was called with; tests/integration/ops-systemd.test.ts uses systemd's own.
  command = join(folder, 'notify.mjs');
  const script = `#!${process.execPath}
import { appendFileSync } from 'node:fs';
appendFileSync(${JSON.stringify(join(folder, 'told'))}, process.argv.slice(2).join(' ') + '\\n');
`;
  await writeFile(command, script);
  await chmod(command, 0o755);
});

afterEach(async () => {
  await manager?.close();
  await rm(folder, { recursive: true, force: true });
});

async function told(): Promise<string[]> {
  const text = await readFile(join(folder, 'told'), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

function make(env: Record<string, string>, log: Logger = silentLogger): ServiceManager {
  manager = new ServiceManager({ env, log, command, pids: [7, 8] });
  return manager;
}

test('tells that jobs are taken, and that no more are', async () => {
  const one = make({ NOTIFY_SOCKET: '/run/notify' });
  await one.ready();
  await one.stopping();
  expect(await told()).toEqual([
    `READY=1 STATUS=taking jobs MAINPID=${process.pid}`,
    'STOPPING=1 STATUS=letting jobs end',
  ]);
});

test('tells nothing where nobody asked', async () => {
  const one = make({ WATCHDOG_USEC: '20000' });
  await one.ready();
  await one.stopping();
  expect(await told()).toEqual([]);
});

test.each([
  ['of this process', '7'],
  ['of its parent, npx', '8'],
  ['of nobody in particular', ''],
])('feeds a watchdog %s', async (_whose, pid) => {
  await make({ NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '20000', WATCHDOG_PID: pid }).ready();
  await expect.poll(told).toContain('WATCHDOG=1');
});

test('leaves the watchdog of another process alone', async () => {
  const one = make({ NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '2000', WATCHDOG_PID: '9' });
  await one.ready();
  // Another small process, which a watchdog's would have come before.
  await one.stopping();
  expect(await told()).not.toContain('WATCHDOG=1');
});

test('a systemd that cannot be told is a warning with what to do', async () => {
  const warnings: unknown[] = [];
  const log = { ...silentLogger, warn: (fields: object | string) => void warnings.push(fields) };
  const one = new ServiceManager({ env: { NOTIFY_SOCKET: '/x' }, log, command: join(folder, 'missing') });
  await one.ready();
  expect(warnings).toMatchObject([{ err: { code: 'ENOENT' }, hint: expect.stringContaining('NotifyAccess=all') }]);
});
