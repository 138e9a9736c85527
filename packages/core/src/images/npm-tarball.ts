/**
 * Gets a package's tarball by way of the person's own npm, kept and checked against the digest that is pinned. Owns the
 * folder it keeps them in, which workers may share.
 */

import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ByteLog } from '../collect/byte-log.js';
import { NanoGridError } from '../errors.js';
import { isProcessGone, ownProcessTag } from '../extract/process-tag.js';
import type { PackagePin } from '../runtime/runtime.js';
import { reasonOf } from './image-errors.js';
import { runProcess } from './run-process.js';

export interface TarballOptions {
  /** Absolute folder for the tarball; made where it is missing. */
  readonly directory: string;
  /** Whether that folder stays, so that a person may put a tarball there. */
  readonly kept: boolean;
  readonly signal: AbortSignal;
  readonly report: (message: string) => void;
}

/** How often a download says that it goes on, in milliseconds: npm tells no progress of its own. */
const REPORT_MS = 1_000;

/** The name that `npm pack` gives a package's tarball. */
export function tarballName({ name, version }: PackagePin): string {
  return `${name.replace(/^@/, '').replace('/', '-')}-${version}.tgz`;
}

/**
 * The path of the tarball of `pin`: the one that is kept, where it is the one that is pinned, else what npm fetches.
 * Throws `NG_IMAGE_FAILED` with what to do instead, or the signal's reason.
 */
export async function npmTarball(pin: PackagePin, options: TarballOptions): Promise<string> {
  const { directory, signal } = options;
  const place = join(directory, tarballName(pin));
  let isThere = false;
  let scratch: string | undefined;
  try {
    isThere = existsSync(place);
    if (isThere && (await integrityOf(place)) === pin.integrity) return place;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await sweep(directory);
    scratch = await mkdtemp(join(directory, `${ownProcessTag()}.`));
    const fetched = await fetchInto(scratch, pin, options);
    const found = await integrityOf(fetched);
    if (found !== pin.integrity) {
      const [is, meant] = [found, pin.integrity].map((integrity) => `${integrity.slice(0, 19)}…`);
      throw new Error(`what npm fetched is another package than the one that is meant: ${is}, not ${meant}`);
    }
    await rename(fetched, place);
    return place;
  } catch (error) {
    signal.throwIfAborted();
    const what = `The package ${pin.name}@${pin.version} could not be fetched with npm`;
    const other = isThere ? ` The file ${place} is there, but it is not that package.` : '';
    throw new NanoGridError('NG_IMAGE_FAILED', `${what}: ${reasonOf(error)}${other}`, {
      cause: error,
      hint: `Correct what npm says (often the connection to the package registry).${options.kept ? byHand(pin, directory) : ''}`,
    });
  } finally {
    if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
  }
}

function byHand(pin: PackagePin, directory: string): string {
  const command = `npm pack ${pin.name}@${pin.version}`;
  return ` Without one, run "${command}" on a machine that has it, and copy ${tarballName(pin)} to ${directory}.`;
}

/** What npm itself says in one sentence; undefined where it says nothing of the kind. */
function npmReason(json: Buffer): string | undefined {
  try {
    return (JSON.parse(json.toString('utf8')) as { error?: { summary?: string } }).error?.summary;
  } catch {
    return undefined;
  }
}

/** Where no npm is installed, the sentence that says so. */
function explained(error: unknown): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' && syscall?.startsWith('spawn') ? new Error('there is no npm on this machine') : error;
}

async function fetchInto(folder: string, pin: PackagePin, { signal, report }: TarballOptions): Promise<string> {
  const name = `${pin.name}@${pin.version}`;
  const began = performance.now();
  const tell = () => report(`npm fetches ${name}, ${Math.round((performance.now() - began) / 1_000)} s`);
  tell();
  const said = new ByteLog();
  const timer = setInterval(tell, REPORT_MS);
  try {
    // What an npm that runs this process may have been told of its own work does not count here.
    const own = ['--ignore-scripts', '--dry-run=false', '--json', '--loglevel=error'];
    const onStdout = (stdout: Readable) => void stdout.on('data', (chunk: Buffer) => said.append(chunk));
    await runProcess([...npmCommand(process), 'pack', name, '--pack-destination', folder, ...own], {
      signal,
      onStdout,
    });
  } catch (error) {
    throw new Error(npmReason(said.bytes) ?? reasonOf(explained(error)), { cause: error });
  } finally {
    clearInterval(timer);
  }
  const [file] = await readdir(folder);
  if (file === undefined) throw new Error('npm ended well, but left no file');
  return join(folder, file);
}

/** How npm is started: on Windows it is a script of its shell, which only a shell could start; Node runs its own file. */
export function npmCommand(host: Pick<NodeJS.Process, 'platform' | 'execPath'>): [string, ...string[]] {
  if (host.platform !== 'win32') return ['npm'];
  return [host.execPath, join(dirname(host.execPath), 'node_modules/npm/bin/npm-cli.js')];
}

/** Removes what downloads of dead processes left. */
async function sweep(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const [tag = ''] = entry.name.split('.');
    if (entry.isDirectory() && isProcessGone(tag)) await rm(join(directory, entry.name), { recursive: true });
  }
}

async function integrityOf(file: string): Promise<string> {
  const hash = createHash('sha512');
  await pipeline(createReadStream(file), hash);
  return `sha512-${hash.digest('base64')}`;
}
