/** Reliability 3 and 4: each cap of `code.limits` is the configuration's, enforced to the byte, and memory stays bounded. */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ArchiveLimits } from '../config/core-config.js';
import { loadConfig } from '../config/load-config.js';
import { defineRuntime } from '../runtime/define-runtime.js';
import { ArchiveLab, LIMITS } from './archive-lab.test-support.js';
import { checkArchive } from './check-archive.js';
import { type ZipEntry, zipBytes } from './zip-bytes.test-support.js';

let lab: ArchiveLab;
beforeEach(async () => {
  lab = await ArchiveLab.open();
});
afterEach(async () => {
  await lab.close();
});

const MIB = 1024 * 1024;
const runtime = defineRuntime({ name: 'any', image: 'any:1', entrypoints: ['main'], run: ['{entrypoint}'] });

/** What a configuration file with these caps in it resolves to. */
async function configured(limits: Partial<ArchiveLimits>) {
  const cwd = join(lab.root, 'config');
  await mkdir(cwd);
  await writeFile(join(cwd, 'nanogrid.config.json'), JSON.stringify({ code: { limits } }));
  const { config } = await loadConfig({ cwd, defaults: { runtimes: [runtime] } });
  return config.code.limits;
}

const files = (count: number, size = 1): ZipEntry[] =>
  Array.from({ length: count }, (_, i) => ({ name: `f${i}`, data: 'x'.repeat(size) }));
/** A megabyte is the most that no ratio is asked of. */
const zeros = (bytes: number): ZipEntry[] => [{ name: 'z', data: Buffer.alloc(bytes), deflate: true }];

/** By cap: its value, an archive that just passes, one that just does not, and what is said then. */
const CAPS: Record<keyof typeof LIMITS, [value: number, within: Buffer, beyond: Buffer, says: string]> = {
  maxArchiveBytes: [
    500,
    zipBytes([], { comment: 'c'.repeat(478) }),
    zipBytes([], { comment: 'c'.repeat(479) }),
    'refused: it is larger than 500 bytes',
  ],
  maxTotalBytes: [12, zipBytes(files(3, 4)), zipBytes([...files(3, 4), { name: 'g', data: 'x' }]), '12 bytes together'],
  maxFileBytes: [
    7,
    zipBytes(files(3, 7)),
    zipBytes([{ name: 'g', data: 'x'.repeat(8) }]),
    '"g": it is larger than 7 bytes',
  ],
  maxEntries: [3, zipBytes(files(3)), zipBytes(files(4)), 'it has 4 entries, more than 3'],
  maxRatio: [500, zipBytes(zeros(MIB)), zipBytes(zeros(2 * MIB)), 'expands more than 500 times'],
  maxPathBytes: [5, zipBytes([{ name: 'a/bcd' }]), zipBytes([{ name: 'a/bcde' }]), 'its path is longer than 5 bytes'],
  maxDepth: [2, zipBytes([{ name: 'a/b/c' }]), zipBytes([{ name: 'a/b/c/d' }]), 'more than 2 folders deep'],
};

describe('reliability 3 and 4: the cap that is configured is the one that holds', () => {
  test.each(Object.entries(CAPS))('code.limits.%s', async (cap, [value, within, beyond, says]) => {
    const limits = await configured({ [cap]: value });
    expect(limits).toEqual({ ...LIMITS, [cap]: value });
    expect((await lab.extract(within, limits)).error).toBeUndefined();
    await checkArchive(within, limits);
    const { error } = await lab.extract(beyond, limits);
    expect(error).toMatchObject({ code: 'NG_ARCHIVE_TOO_LARGE' });
    expect(error?.message).toContain(says);
    await expect(checkArchive(beyond, limits)).rejects.toMatchObject({ message: error?.message });
    // Under the defaults, the same archive is fine: it was this cap that spoke.
    if (cap !== 'maxRatio') expect((await lab.extract(beyond)).error).toBeUndefined();
  });

  test.each(Object.keys(CAPS))('code.limits.%s cannot be switched off', async (cap) => {
    await expect(configured({ [cap]: 0 })).rejects.toMatchObject({ code: 'NG_CONFIG_INVALID' });
  });

  test('the defaults of the configuration are the documented ones', async () => {
    expect(await configured({})).toEqual(LIMITS);
  });
});

test('reliability 3: the check of an archive that expands to 200 MiB holds little of it in memory', async () => {
  const path = await lab.write(
    zipBytes([
      { name: 'z', data: Buffer.alloc(100 * MIB), deflate: true },
      { name: 'y', data: Buffer.alloc(100 * MIB), deflate: true },
    ]),
  );
  const before = process.memoryUsage().arrayBuffers;
  let peak = 0;
  const sampling = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
  }, 1);
  try {
    expect((await checkArchive(path, { ...LIMITS, maxRatio: 2000 })).totalBytes).toBe(200 * MIB);
  } finally {
    clearInterval(sampling);
  }
  expect(peak).toBeLessThan(50 * MIB);
});
