/** Reliability 5: archives cut at every byte and mutated 100,000 times are extracted whole or refused with a code. */

import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FuzzCounts, FuzzShare } from './archive-fuzz-thread.test-support.js';
import { LIMITS } from './archive-lab.test-support.js';
import { SEED_NAMES, SEEDS } from './archive-seeds.test-support.js';
import { checkArchive } from './check-archive.js';

const MUTATIONS = 100_000;
const SEED_NUMBER = 20_261;
const THREADS = 2;
const LANES = 4;
/** No archive of a few hundred bytes may take longer, however busy the machine is. */
const DEADLINE_MS = 10_000;
/** Of each thread, which compiles these sources itself: no more than that is left over so many archives. */
const HEAP_MB = 128;

let root: string;
beforeEach(async () => {
  // Hundreds of thousands of small files: in memory, where the system offers that.
  root = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'nanogrid-archive-'));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

/** Runs one share in a thread with a heap of its own; ends with its counts, or with what went wrong. */
async function inThread(share: FuzzShare): Promise<FuzzCounts> {
  const file = fileURLToPath(new URL('./archive-fuzz-thread.test-support.ts', import.meta.url));
  const jiti = pathToFileURL(createRequire(import.meta.url).resolve('jiti')).href;
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    (async () => {
      const { createJiti } = (await import(${JSON.stringify(jiti)})).default;
      const { fuzzShare } = await createJiti(${JSON.stringify(file)}, { fsCache: false }).import(${JSON.stringify(file)});
      parentPort.postMessage(await fuzzShare(workerData));
    })();`;
  const thread = new Worker(program, {
    eval: true,
    workerData: share,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  let watch: NodeJS.Timeout | undefined;
  try {
    return await new Promise<FuzzCounts>((resolve, reject) => {
      let last = '';
      watch = setInterval(() => {
        const at = share.at.join();
        if (at === last) reject(new Error(`seed ${share.seedNumber}: one of the mutations ${at} does not end`));
        last = at;
      }, DEADLINE_MS);
      thread.once('message', resolve);
      thread.once('error', reject);
      thread.once('exit', (code) => reject(new Error(`the thread ended by itself (${code})`)));
    });
  } finally {
    clearInterval(watch);
    await thread.terminate();
  }
}

describe('reliability 5: 100,000 mutations', () => {
  test('end in a whole extraction or a refusal, the same by the check, and never outside the folder', async () => {
    const shares = Array.from({ length: THREADS }, async (_, first) => {
      const folder = await mkdtemp(join(root, 'thread-'));
      const at = new Int32Array(new SharedArrayBuffer(4 * LANES));
      return await inThread({ seedNumber: SEED_NUMBER, first, step: THREADS, end: MUTATIONS, folder, at });
    });
    const counts = (await Promise.allSettled(shares)).map((share) => {
      if (share.status === 'rejected') throw share.reason;
      return share.value;
    });
    const total = (prefix: string) =>
      counts
        .flatMap((share) => Object.entries(share))
        .filter(([outcome]) => outcome.startsWith(prefix))
        .reduce((sum, [, count]) => sum + count, 0);
    expect(total('')).toBe(MUTATIONS);
    expect((await readdir(root)).every((name) => name.startsWith('thread-'))).toBe(true);
    // It reaches past the front door: some mutations hit what does not matter (times, comments), others each check.
    for (const name of SEED_NAMES.filter((seed) => seed !== 'symlink')) {
      expect(total(`extracted: ${name}`), name).toBeGreaterThan(500);
    }
    for (const code of ['UNSAFE', 'TOO_LARGE', 'BROKEN'])
      expect(total(`NG_ARCHIVE_${code}`), code).toBeGreaterThan(500);
  }, 300_000);
});

describe('reliability 5: truncation at every byte', () => {
  test.each(SEED_NAMES)('%s', async (name) => {
    const whole = SEEDS[name].bytes;
    for (let length = 0; length < whole.length; length++) {
      const cut = checkArchive(whole.subarray(0, length), LIMITS);
      await expect(cut, `cut to ${length} bytes`).rejects.toMatchObject({ code: 'NG_ARCHIVE_BROKEN' });
    }
  });
});
