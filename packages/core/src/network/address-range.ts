/** Ranges of IPv4 addresses as text (`10.0.0.0/8`) and as the supervisor takes them. Owns no state. */

import { isIPv4 } from 'node:net';

export interface AddressRange {
  /** The four bytes as a number. */
  readonly address: number;
  /** 0 to 32. */
  readonly prefix: number;
}

/** Reads `a.b.c.d` or `a.b.c.d/n`; undefined where it is neither, or has bits beyond its prefix. */
export function parseRange(text: string): AddressRange | undefined {
  const [address = '', length = '32', ...more] = text.split('/');
  if (more.length > 0 || !isIPv4(address) || !/^(0|[1-9]\d?)$/.test(length) || Number(length) > 32) return undefined;
  const range = { address: toNumber(address), prefix: Number(length) };
  return (range.address & ~maskOf(range.prefix)) === 0 ? range : undefined;
}

/** True where every address of `inner` is one of `outer`. */
export function covers(outer: AddressRange, inner: AddressRange): boolean {
  return outer.prefix <= inner.prefix && (inner.address & maskOf(outer.prefix)) >>> 0 === outer.address;
}

/** Four bytes of the address, one of the prefix's length. */
export function rangeBytes({ address, prefix }: AddressRange): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(address);
  bytes[4] = prefix;
  return bytes;
}

function maskOf(prefix: number): number {
  return prefix === 0 ? 0 : (-1 << (32 - prefix)) >>> 0;
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}
