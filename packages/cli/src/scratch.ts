/** A temporary folder of one command. Owns the folder, which goes with the process at the latest. */

import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Io } from './io.js';

export interface Scratch {
  /** Absolute. */
  readonly path: string;
  remove(): Promise<void>;
}

export async function makeScratch(io: Pick<Io, 'atExit'>): Promise<Scratch> {
  const path = await mkdtemp(join(tmpdir(), 'nanogrid-'));
  const forget = io.atExit(() => rmSync(path, { recursive: true, force: true }));
  const remove = async () => {
    await rm(path, { recursive: true, force: true });
    forget();
  };
  return { path, remove };
}
