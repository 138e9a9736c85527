/** What every store of shared values refuses: names that are none, and values that are too large. Owns no state. */

import { NanoGridError } from './errors.js';

const NAME = /^[A-Za-z0-9:._-]{1,200}$/;
const LARGEST_VALUE = 65_536;

/** Throws `NG_SHARED_STATE_FAILED` unless a key or channel of `SharedState` may be called that. */
export function checkSharedName(name: string): void {
  if (NAME.test(name)) return;
  throw new NanoGridError('NG_SHARED_STATE_FAILED', `${JSON.stringify(name)} is no name of a shared value.`);
}

/** Throws `NG_SHARED_STATE_FAILED` for a value or message of more than 64 KiB. */
export function checkSharedValue(value: string): void {
  if (Buffer.byteLength(value) <= LARGEST_VALUE) return;
  throw new NanoGridError('NG_SHARED_STATE_FAILED', `A shared value may have at most ${LARGEST_VALUE} bytes.`);
}
