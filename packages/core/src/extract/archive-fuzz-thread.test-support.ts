/** The part of the fuzz that runs in a thread of its own: its share of the mutations, checked and extracted one by one. Owns a folder. */

import { type Dirent, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DEFAULTS } from '../config/defaults.js';
import { NanoGridError } from '../errors.js';
import { mutation, type SeedName, TEXTS } from './archive-seeds.test-support.js';
import { checkArchive } from './check-archive.js';
import { extractArchive } from './extract-archive.js';

export interface FuzzShare {
  readonly seedNumber: number;
  /** The mutations `first`, `first + step`, … below `end`. */
  readonly first: number;
  readonly step: number;
  readonly end: number;
  /** An empty folder of this thread's own. */
  readonly folder: string;
  /** One place for each lane, where it says which mutation it is at. */
  readonly at: Int32Array;
}

/** How often each outcome was met: `extracted` or the code of the refusal, by seed. */
export type FuzzCounts = Record<string, number>;

/** Throws at the first mutation that ends in anything but a whole extraction or a coded refusal, naming it. */
export async function fuzzShare(share: FuzzShare): Promise<FuzzCounts> {
  const counts: FuzzCounts = {};
  let next = share.first;
  const lane = async (_: unknown, laneIndex: number) => {
    const folder = join(share.folder, String(laneIndex));
    mkdirSync(join(folder, 'code'), { recursive: true });
    while (next < share.end) {
      const index = next;
      next += share.step;
      Atomics.store(share.at, laneIndex, index);
      const { name, bytes } = mutation(share.seedNumber, index);
      try {
        const outcome = await tryOne(bytes, folder, name);
        counts[outcome] = (counts[outcome] ?? 0) + 1;
      } catch (error) {
        next = share.end;
        throw new Error(`seed ${share.seedNumber}, mutation ${index} of "${name}": ${error}`, { cause: error });
      }
    }
  };
  await Promise.all(Array.from(share.at, lane));
  return counts;
}

async function tryOne(bytes: Buffer, folder: string, name: SeedName): Promise<string> {
  const archive = join(folder, 'archive');
  const code = join(folder, 'code');
  writeFileSync(archive, bytes);
  const limits = DEFAULTS.code.limits;
  const extracted = await outcomeOf(extractArchive(archive, code, limits));
  const checked = await outcomeOf(checkArchive(bytes, limits));
  if (checked !== extracted) throw new Error(`extraction says "${extracted}", the check "${checked}"`);
  const beside = readdirSync(folder).sort().join();
  if (beside !== 'archive,code') throw new Error(`outside the folder lies ${beside}`);
  const found = readdirSync(code, { recursive: true, withFileTypes: true });
  // What a refused archive leaves is the caller's to remove, and has no claim to be whole.
  for (const entry of found) checkEntry(entry, extracted === '');
  if (found.length > 0) {
    rmSync(code, { recursive: true });
    mkdirSync(code);
  }
  return `${extracted === '' ? 'extracted' : extracted.split(' ', 1)[0]}: ${name}`;
}

/** Empty for a success, else code and message; anything but a refusal of the archive is thrown. */
async function outcomeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return '';
  } catch (error) {
    if (error instanceof NanoGridError && error.code.startsWith('NG_ARCHIVE_')) return `${error.code} ${error.message}`;
    throw error;
  }
}

function checkEntry(entry: Dirent, whole: boolean): void {
  const path = join(entry.parentPath, entry.name);
  if (entry.isDirectory()) return;
  if (!entry.isFile()) throw new Error(`${basename(path)} is neither file nor folder`);
  // The checksum vouches for every byte: what came out is what some entry held.
  if (whole && !TEXTS.some((text) => text === readFileSync(path, 'latin1'))) {
    throw new Error(`${basename(path)} holds what no entry held`);
  }
}
