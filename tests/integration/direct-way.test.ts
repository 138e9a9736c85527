/** The shorter way between worker and supervisor: who may take it, and that nothing of it is left. Real containers. */

import { accessSync, readdirSync } from 'node:fs';
import { createDockerClient } from '@nanogrid/core';
import { describe, type ExpectStatic, test } from 'vitest';
import {
  configure,
  F,
  frame,
  numbers,
  type RawSupervisor,
  run,
  startRawSupervisor,
} from '../support/raw-supervisor.js';
import { shell } from '../support/shell-runtime.js';
import { startTestWorker } from '../support/test-worker.js';

const DIRECT = 98;
const docker = createDockerClient(undefined);

const inside = ({ container }: RawSupervisor) => `/proc/${container.hostPid}/root/nanogrid/state`;

/** Root on the engine's own host may look into the container; elsewhere the attached stream is the only way. */
function isWithinReach(raw: RawSupervisor): boolean {
  try {
    accessSync(inside(raw));
    return true;
  } catch {
    return false;
  }
}

/** Names of what lies in the supervisor's own place, as a process of the container's user sees it. */
async function stateOf(raw: RawSupervisor): Promise<string> {
  raw.send(run('ls -A /nanogrid/state'));
  return (await raw.next(F.STDOUT)).toString();
}

async function ready(raw: RawSupervisor): Promise<void> {
  raw.send(configure, frame(F.COMMIT));
  await raw.next(F.READY);
  await raw.next(F.READY);
}

/** Runs a program in the container beside the supervisor; resolves once it has ended. */
async function execute(raw: RawSupervisor, command: string[]): Promise<void> {
  const exec = await docker.getContainer(raw.container.id).exec({ Cmd: command, AttachStdout: true });
  const stream = await exec.start({});
  await new Promise((resolve) => stream.on('close', resolve).on('end', resolve).resume());
}

async function offer(raw: RawSupervisor, expect: ExpectStatic): Promise<Map<number, number>> {
  const hello = numbers(await raw.next(F.HELLO));
  expect(hello.get(DIRECT)).toBeGreaterThan(0);
  return hello;
}

describe.concurrent('the direct way', () => {
  test('is taken where it can be, carries the conversation, and its socket is gone before any code comes', async ({
    expect,
  }) => {
    await using raw = await startRawSupervisor();
    const hello = await offer(raw, expect);
    const reach = isWithinReach(raw);
    expect(await raw.container.shorten(hello)).toBe(reach);
    await ready(raw);
    if (reach) expect(readdirSync(inside(raw)).filter((name) => name.startsWith('direct'))).toEqual([]);
    expect(await stateOf(raw)).not.toContain('direct');
    await raw.next(F.READY);
    // It cannot be taken twice.
    expect(await raw.container.shorten(hello)).toBe(false);
  });

  test('is withdrawn where the worker goes on by the attached stream', async ({ expect }) => {
    await using raw = await startRawSupervisor();
    const hello = await offer(raw, expect);
    await ready(raw);
    expect(await stateOf(raw)).not.toContain('direct');
    await raw.next(F.READY);
    expect(await raw.container.shorten(hello)).toBe(false);
  });

  test('is not for anybody inside of the container', async ({ expect }) => {
    await using raw = await startRawSupervisor();
    const hello = await offer(raw, expect);
    const path = `/nanogrid/state/direct-${hello.get(DIRECT)?.toString(16).padStart(12, '0')}`;
    const connect = `use Socket; socket(my $s, PF_UNIX, SOCK_STREAM, 0); connect($s, sockaddr_un($ARGV[0])) or die; <$s>`;
    await execute(raw, ['perl', '-e', connect, path]);
    expect(await raw.ended()).toContain('somebody inside of the container');
  });

  test('once taken leaves standard input a life line: a word there ends the container', async ({ expect }) => {
    await using raw = await startRawSupervisor();
    const attached = raw.input;
    await raw.container.shorten(await offer(raw, expect));
    await ready(raw);
    attached.write(Buffer.from([0]));
    attached.end();
    expect(await raw.ended()).toBe('');
  });
});

test('jobs of a whole worker see nothing of it', async ({ expect }) => {
  await using worker = await startTestWorker({ runtimes: [shell] });
  const { stdout } = await worker.run(
    { 'main.sh': 'ls -A /nanogrid/state; ls -l /proc/self/fd | grep -c socket' },
    { runtime: 'shell' },
  );
  expect(stdout.trim().split('\n')).toEqual(['code', 'payload.json', '0']);
});
