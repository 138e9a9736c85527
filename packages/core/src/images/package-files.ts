/** Puts files of packages into a build context, for the architecture of the engine, while an image is built. Owns no state. */

import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type Docker from 'dockerode';
import { extract } from 'tar-stream';
import { NanoGridError } from '../errors.js';
import type { PackageFile, PackagePin } from '../runtime/runtime.js';
import { type BuildContext, type ContextFile, MAX_FURTHER_FILE_BYTES } from './build-context.js';
import { imageFailure } from './image-errors.js';
import type { ProgressListener } from './image-progress.js';
import { npmTarball } from './npm-tarball.js';

export interface PackageFilesOptions {
  readonly tag: string;
  /** Absolute folder in which tarballs are kept. Undefined: none is. */
  readonly directory: string | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: ProgressListener;
}

/**
 * Calls `use` with a context in which the files of packages lie as well; they are gone when it ends. Throws
 * `NG_IMAGE_FAILED` where one cannot be had, or the signal's reason.
 */
export async function withPackageFiles<T>(
  docker: Docker,
  context: BuildContext,
  options: PackageFilesOptions,
  use: (context: BuildContext) => Promise<T>,
): Promise<T> {
  const wanted = [...context.packageFiles];
  if (wanted.length === 0) return await use(context);
  const architecture = await architectureOf(docker, options.tag);
  const pins = wanted.map(([path, file]) => pinFor(path, file, architecture, options.tag));
  const scratch = await mkdtemp(join(tmpdir(), 'nanogrid-package-'));
  try {
    const files = [...context.files];
    for (const [index, [path, file]] of wanted.entries()) {
      const tarball = await npmTarball(pins[index] as PackagePin, {
        directory: options.directory ?? scratch,
        kept: options.directory !== undefined,
        signal: options.signal,
        report: (message) => options.onProgress({ image: options.tag, step: 'package', message }),
      });
      files.push(await extractFile(tarball, file.path, path, join(scratch, `${index}`), options.signal));
    }
    return await use({ ...context, files, packageFiles: new Map() });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The package that has the file for an architecture. Throws `NG_IMAGE_FAILED` where there is none. */
export function pinFor(path: string, file: PackageFile, architecture: string, tag: string): PackagePin {
  if (Object.hasOwn(file.packages, architecture)) return file.packages[architecture] as PackagePin;
  const known = Object.keys(file.packages).join(' and ');
  throw new NanoGridError(
    'NG_IMAGE_FAILED',
    `The image ${tag} cannot be built for an engine on ${architecture}: its file ${path} is there for ${known} only.`,
    { hint: 'Give the runtime an image of your own that fits the engine, with its option `image`.' },
  );
}

async function architectureOf(docker: Docker, tag: string): Promise<string> {
  try {
    return (await docker.version()).Arch;
  } catch (error) {
    throw imageFailure(`The image ${tag} could not be built`, error, 'Check the Docker engine.');
  }
}

/** One file of a tarball, written to `target`. */
async function extractFile(
  tarball: string,
  wanted: string,
  path: string,
  target: string,
  signal: AbortSignal,
): Promise<ContextFile> {
  let found: ContextFile | undefined;
  const entries = extract();
  const reading = pipeline(createReadStream(tarball), createGunzip(), entries, { signal });
  // Told below, by the loop that ends with it.
  reading.catch(() => {});
  for await (const entry of entries) {
    const { name, type, size = 0, mode = 0o644 } = entry.header;
    // Whatever the package calls its folder, npm takes it away.
    const isIt = type === 'file' && name.slice(name.indexOf('/') + 1) === wanted && size <= MAX_FURTHER_FILE_BYTES;
    if (isIt && found === undefined) {
      await pipeline(entry, createWriteStream(target), { signal });
      found = { path, mode: (mode & 0o111) === 0 ? 0o644 : 0o755, sizeBytes: size, content: { file: target } };
    } else entry.resume();
  }
  await reading;
  if (found !== undefined) return found;
  throw new NanoGridError('NG_IMAGE_FAILED', `The package in ${tarball} has no file ${wanted} of 1 GiB at most.`, {
    hint: 'Correct `image.files` of the runtime.',
  });
}
