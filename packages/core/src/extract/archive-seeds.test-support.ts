/** The whole archives that the fuzz cuts and mutates, and the seeded generator that mutates them. Owns no state. */

import { unicodePathExtra, type ZipEntry, type ZipOptions, zip64Extra, zipBytes } from './zip-bytes.test-support.js';

/** All that a file in the seeds holds: whatever comes out of a mutation is one of these, whole. */
export const TEXTS = ['', 'hello '.repeat(20), 'stored', '#!/bin/sh\n', '/etc/passwd', 'x'.repeat(3000)] as const;
const [EMPTY, HELLO, STORED, SCRIPT, TARGET, LONG] = TEXTS;

const seed = (entries: readonly ZipEntry[], options?: ZipOptions) => ({ bytes: zipBytes(entries, options), entries });

/** By what is special about each; `symlink` is refused as it is, and may be let through only as something else. */
export const SEEDS = {
  'stored, deflated, a data descriptor, a comment': seed(
    [
      { name: 'main.txt', data: HELLO, deflate: true, descriptor: true },
      { name: 'lib/', mode: 0o040755 },
      { name: 'lib/a.txt', data: STORED, mode: 0o100644 },
    ],
    { comment: 'end' },
  ),
  Zip64: seed(
    [
      {
        name: 'z',
        data: STORED,
        size: 0xffffffff,
        compressedSize: 0xffffffff,
        centralExtra: zip64Extra(STORED.length, STORED.length),
        localExtra: zip64Extra(STORED.length, STORED.length),
      },
      { name: 'bin/run', data: SCRIPT, deflate: true, mode: 0o100755 },
    ],
    { zip64: true },
  ),
  'many entries': seed(
    Array.from({ length: 12 }, (_, i) => ({ name: `d${i % 3}/${i}`, data: i % 2 === 0 ? STORED : EMPTY })),
  ),
  prefix: seed([{ name: 'main.txt', data: LONG, deflate: true }], { prefix: Buffer.from(SCRIPT) }),
  'Zip64 behind a prefix': seed([{ name: 'm', data: HELLO, deflate: true }], {
    prefix: Buffer.from(SCRIPT),
    zip64: true,
    comment: 'c',
  }),
  'names in UTF-8, CP437 and an extra field': seed([
    { name: 'größe/日本', data: STORED, flags: 0x800 },
    { name: Buffer.from([0x81, 0x2e, 0x74]), data: SCRIPT },
    { name: 'a_b', data: HELLO, deflate: true, centralExtra: unicodePathExtra(Buffer.from('a_b'), Buffer.from('añb')) },
  ]),
  symlink: seed([
    { name: 'l', data: TARGET, mode: 0o120777 },
    { name: 'l/x', data: STORED, mode: 0o100644 },
  ]),
} as const;

export type SeedName = keyof typeof SEEDS;
export const SEED_NAMES = Object.keys(SEEDS) as SeedName[];

/** Bytes that mean something in names, signatures and sizes. */
const TELLING = [0, 1, 8, 0x2e, 0x2f, 0x50, 0x5c, 0x7f, 0x80, 0xff];

/** The mutation with this number: the same bytes each time, whatever was made before it. */
export function mutation(seedNumber: number, index: number): { readonly name: SeedName; readonly bytes: Buffer } {
  const next = random(seedNumber + Math.imul(index, 0x9e3779b1));
  const below = (n: number) => Math.floor(next() * n);
  const name = SEED_NAMES[index % SEED_NAMES.length] as SeedName;
  let bytes = Buffer.from(SEEDS[name].bytes);
  for (let n = 1 + below(3); n > 0; n--) {
    const at = below(bytes.length);
    const kind = below(10);
    if (kind < 3) bytes[at] = below(256);
    else if (kind < 6) bytes[at] = TELLING[below(TELLING.length)] ?? 0;
    else if (kind === 6) bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
    else if (kind === 7) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(8))]);
    else if (kind === 8) {
      const from = below(bytes.length);
      bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(from, from + 1 + below(60)), bytes.subarray(at)]);
    } else {
      // A whole field at once, as large as a size or an offset.
      const end = Math.min(bytes.length, at + 4);
      for (let i = at; i < end; i++) bytes[i] = below(2) === 0 ? 0xff : below(256);
    }
  }
  return { name, bytes };
}

/** A small generator (mulberry32). */
function random(seedNumber: number): () => number {
  let state = seedNumber | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
