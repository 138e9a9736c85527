import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openLocal } from './open-local.js';
import { CHILD_TEST_MS, makeFolder, makeResult, never, runChild } from './support.test.util.js';

/** Accepts messages, results and code as fast as it can, and prints each once it was told that it is safe. */
const WRITER = `
  const local = await openLocal(options);
  const result = ${JSON.stringify(makeResult(''))};
  for (let n = 0; ; n += 1) {
    const name = options.round + '-' + n;
    await local.queue.send('m-' + name);
    print('message m-' + name);
    await local.results.publish({ ...result, requestId: 'r-' + name, stdout: 'x'.repeat(n % 5000) + name }, 'camel');
    print('result r-' + name);
    if (n % 10 === 0) {
      await local.code.put({ bucket: undefined, key: 'c-' + name + '/code.zip' }, Buffer.alloc(1 + n * 37 % 200000, name));
      print('code c-' + name);
    }
    if (n % 3 === 0) {
      const [delivery] = await local.queue.receive(1, new AbortController().signal);
      print('take ' + delivery.body);
      await delivery.ack();
      print('acked ' + delivery.body);
    }
  }`;

const ROUNDS = 8;

/** Least output of a round before the kill, for a machine so busy that little happens in a quarter of a second. */
const ROUND_LINES = 50;

/** A small generator with a seed: the same moments in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test(
  'what a process printed before its kill -9 is read in full, however much it is',
  async () => {
    const writer = runChild(
      { directory: await makeFolder() },
      `print('x'.repeat(2 ** 20)); process.kill(process.pid, 'SIGKILL');`,
    );
    await writer.ended;
    expect(writer.lines.map((line) => line.length)).toEqual([2 ** 20]);
  },
  CHILD_TEST_MS,
);

test(
  'what was accepted survives kill -9 of the process, round after round',
  async () => {
    const directory = await makeFolder();
    const random = seeded(20_261_121);
    const promised = new Map<string, Set<string>>();
    const told = (kind: string) => promised.get(kind) ?? new Set<string>();
    for (let round = 0; round < ROUNDS; round += 1) {
      const options = { directory, waitMs: 0, round };
      const writer = runChild(options, WRITER);
      await writer.printed(1);
      await pause(20 + random() * 250);
      await writer.printed(ROUND_LINES);
      writer.process.kill('SIGKILL');
      await writer.ended;
      for (const line of writer.lines) {
        const [kind = '', name = ''] = line.split(' ');
        promised.set(kind, told(kind).add(name));
      }
    }

    const local = await openLocal({ directory, waitMs: 0 });
    const found = new Set<string>();
    for (;;) {
      const taken = await local.queue.receive(500, never);
      if (taken.length === 0) break;
      for (const { body } of taken) {
        expect(found.has(body)).toBe(false);
        found.add(body);
      }
    }
    expect(told('message').size).toBeGreaterThan(ROUNDS * 10);
    expect(told('acked').size).toBeGreaterThan(ROUNDS);
    const lost = [...told('message')].filter((body) => !found.has(body) && !told('take').has(body));
    expect(lost).toEqual([]);
    // Taken and not acknowledged: the process died in between, or the acknowledgement was safe and its line was not printed.
    const unsettled = [...told('take')].filter((body) => !told('acked').has(body) && !found.has(body));
    expect(unsettled.length).toBeLessThanOrEqual(ROUNDS);
    expect([...told('acked')].filter((body) => found.has(body))).toEqual([]);
    for (const id of told('result')) {
      const known = await local.results.get(id);
      expect(known).toMatchObject({ state: 'completed', result: { requestId: id } });
      expect(await local.results.publish(makeResult(id), 'camel')).toBe(false);
    }
    for (const name of told('code')) {
      const { sizeBytes, body } = await local.code.open({ bucket: undefined, key: `${name}/code.zip` }, never);
      expect((await text(body)).length).toBe(sizeBytes);
      expect(sizeBytes).toBe(1 + ((Number(name.split('-')[2]) * 37) % 200_000));
    }
    await local.close();
  },
  CHILD_TEST_MS,
);
