/** Reads the folder that an image is built from: its files, their digest, and the tar stream that the engine wants. Owns no state. */

import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { type Pack, pack } from 'tar-stream';
import { NanoGridError } from '../errors.js';
import type { ImageBuild, PackageFile } from '../runtime/runtime.js';
import { type IgnoreFilter, parseDockerIgnore } from './docker-ignore.js';

/** Contexts are read into memory whole; above this, something that does not belong there lies in the folder. */
export const MAX_CONTEXT_BYTES = 64 * 1024 * 1024;
const MAX_CONTEXT_FILES = 10_000;
/** A further file is read piece by piece; above this it is no file for an image. */
export const MAX_FURTHER_FILE_BYTES = 1024 * 1024 * 1024;
const READ_BYTES = 256 * 1024;

export interface ContextFile {
  /** Relative, with `/` between components. */
  readonly path: string;
  readonly mode: number;
  readonly sizeBytes: number;
  /** The bytes, or the file that holds them: further files may be too large for the memory. */
  readonly content: Buffer | { readonly file: string };
}

/** A build context, read and checked. `files` are sorted by path. */
export interface BuildContext {
  readonly directory: string;
  readonly files: readonly ContextFile[];
  /** Files of packages by their path here: known by what is pinned of them, and fetched when the image is built. */
  readonly packageFiles: ReadonlyMap<string, PackageFile>;
  /** SHA-256 over paths, modes and contents, and over what is pinned of packages, hex. */
  readonly digest: string;
  readonly dockerfile: string;
}

/**
 * Reads a context folder, `.dockerignore` respected, and `further` files that are put beside it, path in the context to
 * place. Throws `NG_IMAGE_FAILED` where the folder or its `Dockerfile` is missing, holds a link or special file, or is
 * above 64 MiB, and where a further file cannot be read, is in the folder already, or is above 1 GiB.
 */
export async function readBuildContext(
  context: URL | string,
  image: string,
  further: NonNullable<ImageBuild['files']> = {},
): Promise<BuildContext> {
  const directory = pathOf(context);
  const files: ContextFile[] = [];
  const packageFiles = new Map<string, PackageFile>();
  try {
    await collect(directory, '', await readIgnore(directory), files, { bytes: 0 }, image);
    for (const [path, place] of Object.entries(further).sort(([a], [b]) => (a < b ? -1 : 1))) {
      refuseTwins(path, files, image);
      if (isPlace(place)) files.push(await furtherFile(path, pathOf(place), image));
      else packageFiles.set(path, place);
    }
  } catch (error) {
    throw NanoGridError.from(error, 'NG_IMAGE_FAILED', `The build folder of image ${image} cannot be read`);
  }
  const dockerfile = files.find((file) => file.path === 'Dockerfile');
  if (dockerfile === undefined) {
    throw new NanoGridError('NG_IMAGE_FAILED', `The build folder of image ${image} has no Dockerfile: ${directory}.`, {
      hint: 'Put a file named Dockerfile into the folder that `image.context` names.',
    });
  }
  files.sort((a, b) => (a.path < b.path ? -1 : 1));
  try {
    const digest = await digestOf(files, packageFiles);
    return { directory, files, packageFiles, digest, dockerfile: String(dockerfile.content) };
  } catch (error) {
    throw NanoGridError.from(error, 'NG_IMAGE_FAILED', `A file for image ${image} cannot be read`);
  }
}

/**
 * The context as a tar stream that is the same for the same files, so that the engine's build cache holds. It fails
 * where a further file has another size now.
 */
export function packBuildContext(context: BuildContext): Readable {
  const stream = pack();
  // streamx's Readable, which node's own consumers take as it is.
  const readable = stream as unknown as Readable;
  packFiles(stream, context.files).catch((error: Error) => readable.destroy(error));
  return readable;
}

async function packFiles(stream: Pack, files: readonly ContextFile[]): Promise<void> {
  for (const { path, mode, sizeBytes, content } of files) {
    const header = { name: path, mode, size: sizeBytes, mtime: new Date(0), uid: 0, gid: 0 };
    if (Buffer.isBuffer(content)) stream.entry(header, content);
    else await pipeline(createReadStream(content.file), stream.entry(header) as unknown as Writable);
  }
  stream.finalize();
}

function pathOf(place: URL | string): string {
  return typeof place === 'string' ? place : fileURLToPath(place);
}

function isPlace(place: URL | string | PackageFile): place is URL | string {
  return typeof place === 'string' || place instanceof URL;
}

function refuseTwins(path: string, files: readonly ContextFile[], image: string): void {
  if (files.some((other) => other.path === path)) {
    throw refusal(
      image,
      `holds ${path}, which is also one of its further files`,
      'Give the further file another path.',
    );
  }
}

async function furtherFile(path: string, file: string, image: string): Promise<ContextFile> {
  const found = await stat(file);
  if (!found.isFile() || found.size > MAX_FURTHER_FILE_BYTES) {
    throw refusal(
      image,
      `is to hold ${file}, which is no file of 1 GiB at most`,
      'Correct `image.files` of the runtime.',
    );
  }
  return { path, mode: modeOf(found.mode), sizeBytes: found.size, content: { file } };
}

/** Only the executable bit counts: the rest depends on the umask of whoever checked the files out. */
function modeOf(mode: number): number {
  return (mode & 0o111) === 0 ? 0o644 : 0o755;
}

async function readIgnore(directory: string): Promise<IgnoreFilter> {
  try {
    return parseDockerIgnore(await readFile(join(directory, '.dockerignore'), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return () => false;
    throw error;
  }
}

async function collect(
  root: string,
  folder: string,
  ignored: IgnoreFilter,
  files: ContextFile[],
  seen: { bytes: number },
  image: string,
): Promise<void> {
  for (const name of await readdir(join(root, folder))) {
    const path = folder === '' ? name : `${folder}/${name}`;
    const found = await lstat(join(root, path));
    if (found.isDirectory()) {
      // A folder that is left out may still hold an exception, so it is always walked.
      await collect(root, path, ignored, files, seen, image);
      continue;
    }
    // The engine's rule: what describes the build is always sent.
    if (path !== 'Dockerfile' && ignored(path)) continue;
    if (!found.isFile()) {
      throw refusal(image, `holds ${path}, which is no regular file`, 'Replace links and special files by copies.');
    }
    seen.bytes += found.size;
    if (seen.bytes > MAX_CONTEXT_BYTES || files.length >= MAX_CONTEXT_FILES) {
      throw refusal(
        image,
        `is larger than ${MAX_CONTEXT_BYTES / 1024 / 1024} MiB or ${MAX_CONTEXT_FILES} files`,
        'Leave out what the build does not need with a .dockerignore, or fetch it in the Dockerfile.',
      );
    }
    const content = await readFile(join(root, path));
    files.push({ path, mode: modeOf(found.mode), sizeBytes: content.length, content });
  }
}

function refusal(image: string, what: string, hint: string): NanoGridError {
  return new NanoGridError('NG_IMAGE_FAILED', `The build folder of image ${image} ${what}.`, { hint });
}

/** With one buffer for all of it: a stream's, one for each piece, would stay with the worker as memory it does not need. */
async function hashFile(path: string, hash: Hash): Promise<void> {
  const file = await open(path);
  try {
    const buffer = Buffer.alloc(READ_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES);
      if (bytesRead === 0) return;
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

async function digestOf(
  files: readonly ContextFile[],
  packageFiles: ReadonlyMap<string, PackageFile>,
): Promise<string> {
  const hash = createHash('sha256');
  // Lengths are hashed too, so that no two different contexts give the same bytes.
  for (const { path, mode, sizeBytes, content } of files) {
    hash.update(`${Buffer.byteLength(path)} ${path} ${mode.toString(8)} ${sizeBytes}\n`);
    if (Buffer.isBuffer(content)) hash.update(content);
    else await hashFile(content.file, hash);
  }
  for (const [path, file] of packageFiles) hash.update(`package ${JSON.stringify([path, pinned(file)])}\n`);
  return hash.digest('hex');
}

/** All that decides a package's file, in an order that does not depend on how it was written down. */
function pinned({ path, packages }: PackageFile): unknown {
  const names = Object.keys(packages).sort();
  return [path, names.map((name) => [name, packages[name]?.integrity])];
}
