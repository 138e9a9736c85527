/** Checks the address of a callback as far as that can be done before it is used. Owns no state. */

import { isIP } from 'node:net';
import type { AddressGuard } from '@nanogrid/core';
import { ApiError } from '../api-error.js';

const MAX_CHARACTERS = 2_048;

/** The address, without its fragment. Throws `BAD_REQUEST`, naming `field`. What its name means is looked at when it is used. */
export function readCallbackUrl(value: unknown, field: string, guard: AddressGuard, allowsPlain: boolean): string {
  const bad = (reason: string) => new ApiError('BAD_REQUEST', `The field "${field}" ${reason}.`);
  if (typeof value !== 'string' || value.length > MAX_CHARACTERS || !URL.canParse(value)) {
    throw bad(`must be an address of at most ${MAX_CHARACTERS} characters`);
  }
  const url = new URL(value);
  const isPlain = url.protocol === 'http:';
  if (!isPlain && url.protocol !== 'https:') throw bad('must be an https:// address');
  if (url.username !== '' || url.password !== '') throw bad('must not hold a user or a password');
  const host = hostOf(url);
  const addresses = isIP(host) > 0 ? [host] : /^(.*\.)?localhost\.?$/.test(host) ? ['127.0.0.1', '::1'] : undefined;
  if (addresses !== undefined && !addresses.some((address) => guard.permits(address))) {
    throw bad(`leads to ${host}, which callbacks may not go to`);
  }
  const isAllowed = addresses?.some((address) => guard.isAllowed(address)) ?? allowsPlain;
  if (isPlain && !isAllowed) throw bad('must be an https:// address');
  url.hash = '';
  return url.href;
}

/** The host as sockets take it: an IPv6 address without its brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}
