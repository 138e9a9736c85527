/** Keeps the models on disk, whole or not at all. Owns the file. */

import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { ModelData } from './function-model.js';

const VERSION = 1;
const NUMBERS = [
  'firstMs',
  'lastMs',
  'samples',
  'runs',
  'durationMs',
  'kills',
  'killedAtMb',
  'killedMs',
  'samplesSinceKill',
] as const;

export type StoredModels = readonly (readonly [key: string, model: ModelData])[];

/** Empty where there is no file. Throws where it cannot be read, or is none of ours. */
export async function readModels(path: string): Promise<StoredModels> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const { version, models } = (JSON.parse(text) ?? {}) as { version?: unknown; models?: unknown };
  if (version !== VERSION || !Array.isArray(models)) throw new Error('it holds something else');
  if (!models.every(isEntry)) throw new Error('a model in it is not whole');
  return models;
}

/** Replaces the file. `path` has one writer. */
export async function writeModels(path: string, models: StoredModels): Promise<void> {
  const unfinished = `${path}.unfinished`;
  await mkdir(dirname(path), { recursive: true });
  try {
    await writeFile(unfinished, JSON.stringify({ version: VERSION, models }), { mode: 0o600, flush: true });
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {});
    throw error;
  }
}

function isEntry(entry: unknown): entry is StoredModels[number] {
  return Array.isArray(entry) && typeof entry[0] === 'string' && isModel(entry[1]);
}

/** Whether a value that was stored is a model. */
export function isModel(value: unknown): value is ModelData {
  const model = (value ?? {}) as Record<string, unknown>;
  const { peaks } = model;
  if (!NUMBERS.every((name) => isAmount(model[name]))) return false;
  return (
    Array.isArray(peaks) && peaks.every((peak) => Array.isArray(peak) && peak.length === 3 && peak.every(isAmount))
  );
}

function isAmount(value: unknown): boolean {
  return Number.isFinite(value) && (value as number) >= 0;
}
