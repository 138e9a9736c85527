/** Builds the three errors that refuse a code archive, and tells them from trouble with the disk. Owns no state. */

import { NanoGridError } from '../errors.js';

/** The codes that refuse an archive; each makes the job `FAILED`. */
export type ArchiveErrorCode = 'NG_ARCHIVE_UNSAFE' | 'NG_ARCHIVE_TOO_LARGE' | 'NG_ARCHIVE_BROKEN';

const HINTS: Record<ArchiveErrorCode, string> = {
  NG_ARCHIVE_UNSAFE:
    'Build the archive again from plain files and folders, with paths relative to the function’s own folder.',
  NG_ARCHIVE_TOO_LARGE: 'Send less with the function, or raise the caps under `code.limits` of the configuration.',
  NG_ARCHIVE_BROKEN: 'Build the archive again as an ordinary ZIP (stored or deflated, no password) and send it whole.',
};

/** Characters that would break a line or hide text when a hostile name is shown. */
const UNPRINTABLE = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
const SHOWN_CHARACTERS = 80;

/** A hostile name as one harmless, short, quoted word. */
export function quoteName(name: string): string {
  const short = name.length > SHOWN_CHARACTERS ? `${name.slice(0, SHOWN_CHARACTERS)}…` : name;
  return JSON.stringify(short).replace(UNPRINTABLE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** An error that refuses an archive; `reason` is a clause without a full stop, `entry` the name of the entry at fault. */
export function archiveError(code: ArchiveErrorCode, reason: string, entry?: string, cause?: unknown): NanoGridError {
  const where = entry === undefined ? '' : ` at entry ${quoteName(entry)}`;
  return new NanoGridError(code, `The code archive is refused${where}: ${reason}.`, {
    hint: HINTS[code],
    ...(cause === undefined ? {} : { cause }),
  });
}

/** True for an error of the operating system, as `fs` raises them. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
}

/** The disk under the worker could not do its part. */
export function diskError(error: unknown, doing: string): NanoGridError {
  const code = isSystemError(error) && error.code !== undefined ? error.code : String(error);
  return new NanoGridError('NG_DISK_FAILED', `The worker’s disk failed while ${doing} (${code}).`, {
    cause: error,
    hint: 'Check the free space and the permissions of `workDir`.',
  });
}

/**
 * What an error met while reading an archive means: itself where it is coded, `NG_DISK_FAILED` where the disk raised
 * it, else a fault of the archive. An abort is passed on as the signal's reason.
 */
export function fromArchiveFailure(
  error: unknown,
  entry: string | undefined,
  signal: AbortSignal | undefined,
): unknown {
  if (error instanceof NanoGridError) return error;
  if (signal?.aborted === true) return signal.reason;
  if (isSystemError(error)) return diskError(error, 'reading or extracting a code archive');
  const reason = error instanceof Error ? error.message.replace(/\.+$/, '') : String(error);
  return archiveError('NG_ARCHIVE_BROKEN', reason, entry, error);
}
