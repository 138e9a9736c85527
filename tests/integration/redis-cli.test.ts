/** `nanogrid result` on a real Redis, as an operator calls it: its own processes, settings from the environment. */

import { type ChildProcess, execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { makeResult } from '../support/redis-result.js';
import { makeStore } from '../support/redis-store.js';
import { type RedisServer, startRedis } from '../support/services/redis-server.js';

const BIN = fileURLToPath(new URL('../../packages/cli/dist/bin.js', import.meta.url));
const MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));
const PASSWORD = 'swordfish';

let server: RedisServer;
let folder: string;

beforeAll(async () => {
  server = await startRedis({ password: PASSWORD });
  folder = await mkdtemp(join(tmpdir(), 'nanogrid-result-'));
  await symlink(MODULES, join(folder, 'node_modules'));
  await writeFile(join(folder, 'nanogrid.config.json'), '{"plugins": ["@nanogrid/plugin-redis"]}');
});

afterAll(async () => {
  await server?.close();
  await rm(folder, { recursive: true, force: true });
});

interface Ended {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

/** The command's process, and its exit code and what it wrote. */
function launch(argv: string[], more: NodeJS.ProcessEnv = {}): { child: ChildProcess; ended: Promise<Ended> } {
  const { host, port } = server;
  const settings = { REDIS_HOST: host, REDIS_PORT: String(port), REDIS_PASSWORD: PASSWORD };
  const env = { PATH: process.env.PATH, ...settings, ...more };
  let child: ChildProcess | undefined;
  const ended = new Promise<Ended>((resolve) => {
    child = execFile(process.execPath, [BIN, 'result', ...argv], { cwd: folder, env }, (_error, out, err) =>
      resolve({ exitCode: child?.exitCode ?? -1, out, err }),
    );
  });
  return { child: child as unknown as ChildProcess, ended };
}

const call = (argv: string[], more?: NodeJS.ProcessEnv) => launch(argv, more).ended;

test('a result of either dialect, a failure, a job under way, and one that nobody knows', async () => {
  const results = await makeStore(server);
  await results.publish(makeResult('camel', { result: { n: 1 }, stdout: 'said\n' }), 'camel');
  await results.publish(makeResult('snake', { result: { n: 2 } }), 'snake');
  const failure = {
    status: 'FAILED',
    errorCode: 'NG_EXIT_CODE',
    errorMessage: 'it ended with 3',
    exitCode: 3,
  } as const;
  await results.publish(makeResult('failed', failure), 'camel');
  await results.begin('running');

  const [camel, json, snake, failed, running, unknown] = await Promise.all([
    call(['camel']),
    call(['camel', '--json']),
    call(['snake', '--json']),
    call(['failed']),
    call(['running', '--json']),
    call(['nobody', '--json']),
  ]);
  expect(camel).toMatchObject({ exitCode: 0, out: '{"n":1}\n' });
  expect(camel?.err).toContain('said');
  expect(json?.exitCode).toBe(0);
  expect(JSON.parse(json?.out ?? '')).toMatchObject({ requestId: 'camel', status: 'SUCCESS', result: { n: 1 } });
  expect(JSON.parse(snake?.out ?? '')).toMatchObject({ job_id: 'snake', status: 'completed', result: { n: 2 } });
  expect(failed).toMatchObject({ exitCode: 1, out: '' });
  expect(failed?.err).toContain('it ended with 3');
  expect(running?.exitCode).toBe(5);
  expect(JSON.parse(running?.out ?? '')).toEqual({ jobId: 'running', state: 'running' });
  expect(unknown?.exitCode).toBe(4);
  expect(JSON.parse(unknown?.out ?? '')).toEqual({ jobId: 'nobody', state: 'unknown' });
});

test('--wait gets a result when it is published', async () => {
  const results = await makeStore(server);
  const { ended } = launch(['later', '--wait', '--json']);
  const { host, port } = server;
  const redis = new Redis({ host, port, password: PASSWORD });
  onTestFinished(() => redis.disconnect());
  await expect.poll(async () => (await redis.pubsub('NUMSUB', 'result:later'))[1]).toBe(1);
  await results.publish(makeResult('later', { result: 'here' }), 'camel');
  const { exitCode, out } = await ended;
  expect({ exitCode, result: JSON.parse(out) }).toMatchObject({ exitCode: 0, result: { result: 'here' } });
});

test('a wrong password, and a server that is not there: which setting, where it came from, what to change', async () => {
  const wrong = await call(['camel'], { REDIS_PASSWORD: 'cod' });
  expect(wrong).toMatchObject({ exitCode: 2, out: '' });
  expect(wrong.err).toMatch(/WRONGPASS.*\n(.*\n)*Hint: .*REDIS_PASSWORD/);
  expect(wrong.err).not.toContain('cod\n');
  const spare = await startRedis();
  await spare.close();
  const absent = await call(['camel'], { REDIS_PORT: String(spare.port) });
  expect(absent).toMatchObject({ exitCode: 3, out: '' });
  expect(absent.err).toMatch(/ECONNREFUSED(.*\n)*Hint: .*REDIS_PORT/);
});
