/** Makes sure that a base image exists: pulled where a registry answers, else made from Debian's packages. Owns no state. */

import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import type Docker from 'dockerode';
import { NanoGridError } from '../errors.js';
import { imageFailure, isEngineUnreachable } from './image-errors.js';
import { oneLine, type ProgressListener, readEngineEvents } from './image-progress.js';
import { inspectImage } from './inspect-image.js';
import { pullImage } from './pull-image.js';
import { runProcess } from './run-process.js';

export interface BaseImageOptions {
  readonly signal: AbortSignal;
  readonly onProgress: ProgressListener;
}

/** How long the registry may be silent before the image is made here, in milliseconds. */
const PULL_IDLE_MS = 20_000;

/** The suite of `debian:<suite>-slim`, the only images that can be made here; undefined for any other name. */
export function debianSuite(image: string): string | undefined {
  return /^(?:library\/)?debian:([a-z]+)-slim$/.exec(image)?.[1];
}

/**
 * Makes sure that `image` is there. Images other than `debian:<suite>-slim` are left to the engine, which pulls them.
 * Throws `NG_IMAGE_FAILED` with what to install where neither way works, the signal's reason when aborted.
 */
export async function ensureBaseImage(docker: Docker, image: string, options: BaseImageOptions): Promise<void> {
  const suite = debianSuite(image);
  if (suite === undefined || (await inspectImage(docker, image)) !== undefined) return;
  try {
    await pullImage(docker, image, { ...options, idleTimeoutMs: PULL_IDLE_MS });
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof NanoGridError && error.code !== 'NG_IMAGE_FAILED') throw error;
    await bootstrapDebian(docker, image, suite, options);
  }
}

/** Makes `image` with mmdebstrap, streamed into the engine's import. Nothing is imported unless all of it arrived. */
export async function bootstrapDebian(
  docker: Docker,
  image: string,
  suite: string,
  options: BaseImageOptions,
): Promise<void> {
  const report = (message: string): void => options.onProgress({ image, step: 'base', message });
  report(`No registry answers for ${image}: making it from Debian's packages with mmdebstrap`);
  try {
    await installMmdebstrap(options.signal, report);
    await importBootstrap(docker, image, suite, options.signal, report);
  } catch (error) {
    options.signal.throwIfAborted();
    if (isEngineUnreachable(error)) throw imageFailure(`The base image ${image} could not be made`, error, '');
    throw imageFailure(
      `The base image ${image} could neither be pulled nor made`,
      error,
      `Give the engine a registry to pull ${image} from; or, on Debian or Ubuntu and as root, run: ` +
        `apt-get install mmdebstrap debian-archive-keyring && ` +
        `mmdebstrap --variant=minbase ${suite} - | docker import - ${image}`,
    );
  }
}

async function installMmdebstrap(signal: AbortSignal, report: (message: string) => void): Promise<void> {
  if (await runs(['mmdebstrap', '--version'], signal)) return;
  if (process.getuid?.() !== 0 || !(await runs(['apt-get', '--version'], signal))) {
    throw new Error('mmdebstrap is not installed');
  }
  report('Installing mmdebstrap');
  const onMessage = (text: string): void => report(oneLine(text));
  await runProcess(['apt-get', 'update', '-q'], { signal, onMessage });
  // `env` adds to the environment that the child inherits.
  const install = ['apt-get', 'install', '-yq', '--no-install-recommends', 'mmdebstrap', 'debian-archive-keyring'];
  await runProcess(['env', 'DEBIAN_FRONTEND=noninteractive', ...install], { signal, onMessage });
}

async function runs(command: readonly [string, ...string[]], signal: AbortSignal): Promise<boolean> {
  try {
    await runProcess(command, { signal });
    return true;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

async function importBootstrap(
  docker: Docker,
  image: string,
  suite: string,
  signal: AbortSignal,
  report: (message: string) => void,
): Promise<void> {
  const body = new PassThrough();
  const broken = new AbortController();
  const [repo, tag] = image.split(':');
  const received = (async () => {
    const abortSignal = AbortSignal.any([signal, broken.signal]);
    const stream = await docker.importImage(body, { repo, tag, changes: 'CMD ["bash"]', abortSignal });
    for await (const event of readEngineEvents(stream as unknown as Readable)) {
      if (event.error !== undefined) throw new Error(event.error);
    }
  })();
  // Whichever fails first ends the other: a dead import stops mmdebstrap, a dead mmdebstrap breaks the import off.
  received.catch(() => broken.abort(new Error('the engine did not take the image')));
  const scratch = await mkdtemp(join(tmpdir(), 'nanogrid-base-'));
  try {
    // mmdebstrap leaves some of its files when it is stopped; its package downloads run as another user.
    await chmod(scratch, 0o755);
    await runProcess(['env', `TMPDIR=${scratch}`, ...mmdebstrapCommand(suite)], {
      signal: AbortSignal.any([signal, broken.signal]),
      onMessage: (text) => report(oneLine(text)),
      // The request ends only after exit code 0: an archive cut between two files would look complete to the engine.
      onStdout: (stdout) => stdout.pipe(body, { end: false }),
    });
  } catch (error) {
    if (broken.signal.aborted) await received;
    broken.abort(error);
    await received.catch(() => {});
    throw error;
  } finally {
    // Not fs.rm: a mount that was left below must not be emptied.
    await runProcess(['rm', '-rf', '--one-file-system', scratch], { signal: new AbortController().signal });
  }
  body.end();
  await received;
}

/** The same trimming as Debian's own slim images: no documentation but the copyright files, no translations. */
function mmdebstrapCommand(suite: string): readonly [string, ...string[]] {
  const trimmed = ['doc', 'info', 'lintian', 'linda', 'locale', 'man', 'groff'];
  return [
    'mmdebstrap',
    '--variant=minbase',
    '--aptopt=Acquire::Languages "none"',
    ...trimmed.map((folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`),
    '--dpkgopt=path-include=/usr/share/doc/*/copyright',
    suite,
    '-',
  ];
}
