/** Reads the folder that an image is built from: its files, their digest, and the tar stream that the engine wants. Owns no state. */

import { createHash } from 'node:crypto';
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { pack } from 'tar-stream';
import { NanoGridError } from '../errors.js';
import { type IgnoreFilter, parseDockerIgnore } from './docker-ignore.js';

/** Contexts are read into memory whole; above this, something that does not belong there lies in the folder. */
export const MAX_CONTEXT_BYTES = 64 * 1024 * 1024;
const MAX_CONTEXT_FILES = 10_000;

interface ContextFile {
  /** Relative, with `/` between components. */
  readonly path: string;
  readonly mode: number;
  readonly content: Buffer;
}

/** A build context, read and checked. `files` are sorted by path. */
export interface BuildContext {
  readonly directory: string;
  readonly files: readonly ContextFile[];
  /** SHA-256 over paths, modes and contents, hex. */
  readonly digest: string;
  readonly dockerfile: string;
}

/**
 * Reads a context folder, `.dockerignore` respected. Throws `NG_IMAGE_FAILED` where the folder or its `Dockerfile` is
 * missing, holds a link or special file, or is above 64 MiB.
 */
export async function readBuildContext(context: URL | string, image: string): Promise<BuildContext> {
  const directory = typeof context === 'string' ? context : fileURLToPath(context);
  const files: ContextFile[] = [];
  try {
    await collect(directory, '', await readIgnore(directory), files, { bytes: 0 }, image);
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
  return { directory, files, digest: digestOf(files), dockerfile: dockerfile.content.toString('utf8') };
}

/** The context as a tar stream that is the same for the same files, so that the engine's build cache holds. */
export function packBuildContext(context: BuildContext): Readable {
  const stream = pack();
  for (const file of context.files) {
    stream.entry({ name: file.path, mode: file.mode, mtime: new Date(0), uid: 0, gid: 0 }, file.content);
  }
  stream.finalize();
  // streamx's Readable, which node's own consumers take as it is.
  return stream as unknown as Readable;
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
    const stat = await lstat(join(root, path));
    if (stat.isDirectory()) {
      // A folder that is left out may still hold an exception, so it is always walked.
      await collect(root, path, ignored, files, seen, image);
      continue;
    }
    // The engine's rule: what describes the build is always sent.
    if (path !== 'Dockerfile' && ignored(path)) continue;
    if (!stat.isFile()) {
      throw refusal(image, `holds ${path}, which is no regular file`, 'Replace links and special files by copies.');
    }
    seen.bytes += stat.size;
    if (seen.bytes > MAX_CONTEXT_BYTES || files.length >= MAX_CONTEXT_FILES) {
      throw refusal(
        image,
        `is larger than ${MAX_CONTEXT_BYTES / 1024 / 1024} MiB or ${MAX_CONTEXT_FILES} files`,
        'Leave out what the build does not need with a .dockerignore, or fetch it in the Dockerfile.',
      );
    }
    // Only the executable bit counts: the rest depends on the umask of whoever checked the files out.
    const mode = (stat.mode & 0o111) === 0 ? 0o644 : 0o755;
    files.push({ path, mode, content: await readFile(join(root, path)) });
  }
}

function refusal(image: string, what: string, hint: string): NanoGridError {
  return new NanoGridError('NG_IMAGE_FAILED', `The build folder of image ${image} ${what}.`, { hint });
}

function digestOf(files: readonly ContextFile[]): string {
  const hash = createHash('sha256');
  // Lengths are hashed too, so that no two different contexts give the same bytes.
  for (const file of files) {
    hash.update(`${Buffer.byteLength(file.path)} ${file.path} ${file.mode.toString(8)} ${file.content.length}\n`);
    hash.update(file.content);
  }
  return hash.digest('hex');
}
