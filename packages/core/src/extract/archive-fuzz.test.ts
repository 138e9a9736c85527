/** Archives cut at every byte and mutated thousands of times: extracted cleanly or refused with a code, nothing else. */

import { afterEach, beforeEach, expect, test } from 'vitest';
import { ArchiveLab, type Outcome } from './archive-lab.test-support.js';
import { zipBytes } from './zip-bytes.test-support.js';

let lab: ArchiveLab;
beforeEach(async () => {
  lab = await ArchiveLab.open();
});
afterEach(async () => {
  await lab.close();
});

const CONTENTS: Record<string, string> = { 'main.txt': 'hello '.repeat(20), 'lib/': '', 'lib/a.txt': 'stored' };
const archive = () =>
  zipBytes(
    [
      { name: 'main.txt', data: CONTENTS['main.txt'] ?? '', deflate: true, descriptor: true },
      { name: 'lib/', mode: 0o040755 },
      { name: 'lib/a.txt', data: CONTENTS['lib/a.txt'] ?? '', mode: 0o100644 },
    ],
    { comment: 'end' },
  );

/** A small seeded generator (mulberry32), so that a failure can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What came out, where something did, is what some entry said: the checksum vouches for every byte. */
async function expectClean({ tree }: Outcome): Promise<void> {
  if (tree === undefined) return;
  for (const file of tree.files) expect(file.path).not.toMatch(/(^|\/)\.{0,2}(\/|$)|\\/);
  for (const text of Object.values(await lab.contents())) {
    expect(['', ...Object.values(CONTENTS)]).toContain(text);
  }
}

test('cut at every byte it is refused', async () => {
  const whole = archive();
  for (let length = 0; length < whole.length; length++) {
    const { error } = await lab.extract(whole.subarray(0, length));
    expect(error, `cut to ${length} bytes`).toMatchObject({ code: 'NG_ARCHIVE_BROKEN' });
  }
  await lab.extract(whole);
  expect(await lab.contents()).toEqual(CONTENTS);
});

test('3,000 mutations end in an extraction or a refusal, inside the folder', async () => {
  const next = random(20_261);
  const below = (n: number) => Math.floor(next() * n);
  const interesting = [0, 1, 0x2e, 0x2f, 0x50, 0x7f, 0x80, 0xff];
  let extracted = 0;
  for (let i = 0; i < 3000; i++) {
    let bytes = archive();
    for (let n = 1 + below(3); n > 0; n--) {
      const at = below(bytes.length);
      const kind = below(4);
      if (kind === 0) bytes[at] = below(256);
      else if (kind === 1) bytes[at] = interesting[below(interesting.length)] ?? 0;
      else if (kind === 2) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(8))]);
      else
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(below(bytes.length), at + 8), bytes.subarray(at)]);
    }
    const outcome = await lab.extract(bytes);
    await expectClean(outcome);
    if (outcome.tree !== undefined) extracted += 1;
  }
  expect(await lab.strays()).toEqual([]);
  // Some mutations hit what does not matter (times, comments): the fuzz reaches past the front door.
  expect(extracted).toBeGreaterThan(100);
}, 30_000);
