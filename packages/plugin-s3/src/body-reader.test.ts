import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { BodyReader } from './body-reader.js';

const reader = (chunks: string[], sizeBytes: number) =>
  new BodyReader(Readable.from(chunks.map((chunk) => Buffer.from(chunk))), sizeBytes, '"f"');

test.each([[['abcdefg']], [['a', 'bcdef', 'g']], [['abc', 'd', 'efg']]])('cuts %j as asked', async (chunks) => {
  const body = reader(chunks, 7);
  expect((await body.read(3)).toString()).toBe('abc');
  expect((await body.read(4)).toString()).toBe('defg');
  await body.end();
});

test('an empty body', async () => {
  const body = reader([], 0);
  expect(await body.read(0)).toHaveLength(0);
  await body.end();
});

test('a body that is shorter or longer than announced is refused', async () => {
  await expect(reader(['ab'], 3).read(3)).rejects.toMatchObject({
    code: 'NG_OUTPUT_STORE_FAILED',
    message: 'Could not store "f": its body has 2 bytes instead of 3.',
  });
  const longer = reader(['abc', 'd'], 3);
  await longer.read(3);
  await expect(longer.end()).rejects.toMatchObject({ message: expect.stringContaining('4 bytes instead of 3') });
  const same = reader(['abcd'], 3);
  await same.read(3);
  await expect(same.end()).rejects.toMatchObject({ message: expect.stringContaining('4 bytes instead of 3') });
});

test('a body that breaks says why', async () => {
  const body = new Readable({ read() {} });
  const reading = new BodyReader(body, 3, '"f"').read(3);
  body.push('a');
  body.destroy(new Error('the container is gone'));
  await expect(reading).rejects.toMatchObject({ message: 'Could not store "f": the container is gone.' });
});
