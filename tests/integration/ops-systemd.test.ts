/** Readiness as systemd hears it: `nanogrid start` under `Type=notify` and `WatchdogSec`, told through systemd's own `systemd-notify`. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const BIN = fileURLToPath(new URL('../../packages/cli/dist/bin.js', import.meta.url));
/** Node cannot open a datagram socket of Unix; Perl is part of every Debian. Prints what comes. */
const RECEIVER = `use IO::Socket::UNIX; use Socket; $| = 1;
my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die "$!";
print "listening\\n"; while (defined $s->recv(my $m, 4096)) { $m =~ s/\\n/ /g; print "$m\\n"; }`;

let folder: string;
const started = new Set<ChildProcess>();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nanogrid-systemd-'));
});

afterEach(async () => {
  for (const child of started) {
    const ended = child.exitCode ?? child.signalCode;
    child.kill('SIGKILL');
    if (ended === null) await once(child, 'exit');
  }
  started.clear();
  await rm(folder, { recursive: true, force: true });
});

function launch(command: string, argv: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(command, argv, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.add(child);
  const written = { text: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      written.text += text;
    });
  }
  return { child, written, exit: once(child, 'exit') };
}

test('systemd hears when jobs are taken, that the worker lives, and that it stops', async () => {
  const socket = join(folder, 'notify');
  const receiver = launch('perl', ['-e', RECEIVER, socket]);
  const heard = () => receiver.written.text.split('\n').map((line) => line.trim());
  await expect.poll(heard).toContain('listening');
  // No container has to wait: what is looked at here is the worker's own process.
  const config = { http: { port: 0 }, workDir: 'work', pool: { sizes: { python: 0, node: 0 } } };
  await writeFile(join(folder, 'nanogrid.config.json'), JSON.stringify(config));
  const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '400000', NANOGRID_ENV: '' };
  const { child, exit, written } = launch(process.execPath, [BIN, 'start'], env);
  const ready = `READY=1 STATUS=taking jobs MAINPID=${child.pid}`;
  await expect.poll(heard, { timeout: 100_000 }).toContain(ready);
  await expect.poll(() => written.text).toContain('"msg":"ready"');
  await expect.poll(heard).toContain('WATCHDOG=1');
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
  await expect.poll(heard).toContain('STOPPING=1 STATUS=letting jobs end');
});
