/** The profiles: names for controllers and the keys that they want. Owns the file, which nobody else may read. */

import { chmod, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { NanoGridError } from '@nanogrid/core';
import type { Io } from '../io.js';

export interface Profile {
  readonly server: string;
  readonly apiKey?: string;
}

export interface Profiles {
  /** The profile where none is named. */
  readonly default?: string;
  readonly profiles: Readonly<Record<string, Profile>>;
}

/** `~/.config/nanogrid/profiles.json`, or below `XDG_CONFIG_HOME`. */
export function profilesPath({ env }: Pick<Io, 'env'>): string {
  const base = env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config');
  return join(base, 'nanogrid', 'profiles.json');
}

/** None where there is no file. Throws `NG_CONFIG_INVALID` for one that others may read, or that is none. */
export async function readProfiles(path: string): Promise<Profiles> {
  const entry = await stat(path).catch(() => undefined);
  if (entry === undefined) return { profiles: {} };
  if ((entry.mode & 0o077) !== 0) {
    throw new NanoGridError('NG_CONFIG_INVALID', `The profiles in ${path} hold keys, and others may read them.`, {
      hint: `chmod 600 ${path}`,
    });
  }
  try {
    const value = JSON.parse(await readFile(path, 'utf8')) as Profiles;
    for (const { server, apiKey } of Object.values(value.profiles)) {
      if (typeof server !== 'string' || !['string', 'undefined'].includes(typeof apiKey))
        throw new Error('a profile is incomplete');
    }
    return value;
  } catch (cause) {
    throw new NanoGridError(
      'NG_CONFIG_INVALID',
      `The profiles in ${path} cannot be read: ${(cause as Error).message}.`,
      {
        cause,
        hint: 'Correct the file, or delete it and make the profiles anew with nanogrid profile set.',
      },
    );
  }
}

/** Whole or not at all, and never readable for others. */
export async function writeProfiles(path: string, profiles: Profiles): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const written = `${path}.${process.pid}`;
  await writeFile(written, `${JSON.stringify(profiles, null, 2)}\n`, { mode: 0o600 });
  await chmod(written, 0o600);
  await rename(written, path);
}
