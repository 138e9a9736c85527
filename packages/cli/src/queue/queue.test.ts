import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { openLocal } from '@nanogrid/plugin-local';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { main } from '../main.js';
import { createTestIo } from '../test-io.test.util.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nanogrid-cli-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** `answer`: what a person at a terminal types; undefined where there is no terminal. */
async function call(argv: string[], answer?: string) {
  const io = createTestIo({ cwd: folder, stdin: answer ?? '' });
  if (answer !== undefined) for (const stream of [io.stdin, io.stderr]) Object.assign(stream, { isTTY: true });
  const exitCode = await main(['queue', ...argv], io);
  await turn();
  return { exitCode, out: io.out(), err: io.err() };
}

const job = (requestId: string) =>
  JSON.stringify({ requestId, runtime: 'python', s3Key: 'f/code.zip', input: { a: 1 } });

/** Two jobs that wait, and two dead letters of which one is no job. */
async function fill(): Promise<void> {
  const local = await openLocal({ directory: join(folder, '.nanogrid'), waitMs: 0 });
  try {
    await local.queue.sendBatch([job('dead-1'), '{"oops\u001b[2J']);
    for (const delivery of await local.queue.receive(2, new AbortController().signal)) await delivery.deadLetter('why');
    await local.queue.sendBatch([job('job-1'), job('job-2')]);
  } finally {
    await local.close();
  }
}

describe('inspect', () => {
  test('shows what the queue holds, and looks at no message unless asked', async () => {
    await fill();
    const { exitCode, out } = await call(['inspect', '--json']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(out)).toEqual({
      name: join(folder, '.nanogrid', 'local.db'),
      waiting: 2,
      inFlight: 0,
      delayed: 0,
      oldestAgeMs: expect.any(Number),
      deadLetters: 2,
      maxAttempts: 5,
    });
    expect((await call(['inspect'])).out).toMatch(/waiting +2, the oldest for .*\n.*\n.*\ndead letters +2/);
  });

  test('decodes the messages it looks at, and says what is wrong with one that is no job', async () => {
    await fill();
    const { out } = await call(['inspect', '--dead-letters', '--json']);
    const { messages } = JSON.parse(out) as { messages: object[] };
    expect(messages).toMatchObject([
      { valid: true, reason: 'why', deliveries: 1, job: { id: 'dead-1', dialect: 'camel', input: { a: 1 } } },
      { valid: false, reason: 'why', error: { code: 'NG_MESSAGE_INVALID' } },
    ]);
    const peeked = JSON.parse((await call(['inspect', '--peek', '1', '--json'])).out) as { messages: object[] };
    expect(peeked.messages).toMatchObject([{ valid: true, deliveries: 0, job: { id: 'job-1' } }]);
    const { out: text } = await call(['inspect', '--dead-letters']);
    expect(text).toContain('job dead-1 (camel): python, no function id, code f/code.zip');
    expect(text).toContain('no valid job: ');
  });
});

describe('redrive', () => {
  test('sends dead letters again, no more than asked', async () => {
    await fill();
    expect(await call(['redrive', '--max', '1'])).toMatchObject({ exitCode: 0, out: '1 dead letter sent again.\n' });
    expect(JSON.parse((await call(['inspect', '--json'])).out)).toMatchObject({ waiting: 3, deadLetters: 1 });
    expect(JSON.parse((await call(['redrive', '--json'])).out)).toEqual({ moved: 1 });
  });

  test('shows how far it is on a terminal', async () => {
    await fill();
    expect((await call(['redrive'], '')).err).toContain('2 of 2 sent again');
  });
});

describe('purge', () => {
  test('outside of a terminal it needs --yes', async () => {
    await fill();
    const refused = await call(['purge']);
    expect(refused).toMatchObject({ exitCode: 2, out: '' });
    expect(refused.err).toContain('--yes');
    expect(JSON.parse((await call(['inspect', '--json'])).out)).toMatchObject({ waiting: 2 });
    expect(await call(['purge', '--yes'])).toMatchObject({ exitCode: 0, out: '2 messages deleted.\n' });
    expect(JSON.parse((await call(['inspect', '--json'])).out)).toMatchObject({ waiting: 0, deadLetters: 2 });
  });

  test.each(['no\n', 'y\n', '\n', ''])('on a terminal %j deletes nothing', async (answer) => {
    await fill();
    const { exitCode, err } = await call(['purge', '--dead-letters'], answer);
    expect(exitCode).toBe(1);
    expect(err).toContain('Delete 2 dead letters of ');
    expect(err).toContain('Nothing was deleted.');
    expect(JSON.parse((await call(['inspect', '--json'])).out)).toMatchObject({ deadLetters: 2 });
  });

  test('on a terminal the whole word does', async () => {
    await fill();
    expect(await call(['purge', '--dead-letters'], 'yes\n')).toMatchObject({
      exitCode: 0,
      out: '2 dead letters deleted.\n',
    });
    expect(JSON.parse((await call(['inspect', '--json'])).out)).toMatchObject({ waiting: 2, deadLetters: 0 });
  });
});

test('a configuration without a queue to look after says so', async () => {
  await writeFile(join(folder, 'nanogrid.config.json'), '{"plugins": []}');
  const { exitCode, err } = await call(['inspect']);
  expect(exitCode).toBe(2);
  expect(err).toContain('@nanogrid/plugin-sqs');
});
