/** Makes a checked archive of what was uploaded: a ZIP as it is, a single source file wrapped. Owns no state. */

import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type ArchiveLimits, type CheckedArchive, checkArchive, type Runtime } from '@nanogrid/core';
import yazl from 'yazl';
import { ApiError } from '../api-error.js';
import type { Upload } from './receive-upload.js';
import type { UploadFields } from './upload-fields.js';

export interface PreparedArchive {
  readonly path: string;
  readonly sizeBytes: number;
  /** SHA-256, hex. */
  readonly digest: string;
}

/** Throws `BAD_REQUEST`, and `NG_ARCHIVE_…` with the entry named: just what a worker would refuse later. */
export async function prepareArchive(
  { file, folder }: Upload,
  { runtime, handler }: UploadFields,
  limits: ArchiveLimits,
  signal: AbortSignal,
): Promise<PreparedArchive> {
  const source = sourceName(file.name, runtime, handler);
  const path = source === undefined ? file.path : join(folder, 'wrapped.zip');
  if (source !== undefined) await wrap(file.path, path, source);
  const archive = await checkArchive(path, limits, signal);
  checkEntrypoint(archive, runtime, handler);
  if (source === undefined) return { path, sizeBytes: file.sizeBytes, digest: file.digest };
  return { path, sizeBytes: (await stat(path)).size, digest: await digestOf(path) };
}

/** The name that a single source file has in its archive; undefined where an archive was sent. */
function sourceName(name: string, runtime: Runtime, handler: string | undefined): string | undefined {
  const extension = extname(name).toLowerCase();
  if (extension === '.zip') return undefined;
  const accepted = runtime.sourceExtensions ?? [...new Set(runtime.entrypoints.map((entry) => extname(entry)))];
  if (!accepted.includes(extension)) {
    throw new ApiError(
      'BAD_REQUEST',
      `${JSON.stringify(name.slice(0, 128))} is neither a .zip nor a source file of ${runtime.name} (${accepted.join(', ')}).`,
    );
  }
  if (handler !== undefined) return `${handlerFile(handler)}${extension}`;
  return runtime.entrypoints.find((entry) => extname(entry) === extension) ?? `main${extension}`;
}

async function wrap(source: string, target: string, name: string): Promise<void> {
  const zip = new yazl.ZipFile();
  // A fixed time: the same source makes the same archive, and so the same version of the function.
  zip.addFile(source, name, { mtime: new Date(315_532_800_000), mode: 0o100644 });
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(target, { flags: 'wx', mode: 0o600 }));
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** What would only be found when the first job runs is found now. */
function checkEntrypoint({ files }: CheckedArchive, runtime: Runtime, handler: string | undefined): void {
  const paths = new Set(files.map(({ path }) => path));
  if (handler !== undefined) {
    const file = handlerFile(handler);
    if ([...paths].some((path) => path.startsWith(`${file}.`) || path.startsWith(`${file}/`))) return;
    throw new ApiError(
      'BAD_REQUEST',
      `The handler ${handler} needs a file ${file}.*, which the archive does not hold.`,
    );
  }
  const manifest = runtime.manifest?.file;
  if (manifest !== undefined && paths.has(manifest)) return;
  if (runtime.entrypoints.some((entry) => paths.has(entry))) return;
  throw new ApiError(
    'BAD_REQUEST',
    `The archive holds no entry point of ${runtime.name} at its top: ${runtime.entrypoints.join(' or ')}.`,
  );
}

/** `app/main.handler` lies in `app/main`. */
function handlerFile(handler: string): string {
  return handler.slice(0, handler.lastIndexOf('.'));
}
