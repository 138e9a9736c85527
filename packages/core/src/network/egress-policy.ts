/** What a function with the outside granted may not reach, whatever is allowed, and how that is put together. Owns no state. */

import { type AddressRange, covers, parseRange } from './address-range.js';

/** Addresses that are not the public internet's (RFC 6890; IANA's special-purpose registry), loopback aside. */
export const NOT_PUBLIC = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/4',
  '240.0.0.0/4',
] as const;

/** Where clouds hand out the machine's credentials: AWS, Google, Azure and others; AWS ECS; Azure's agent; Alibaba; Oracle. */
export const METADATA_ADDRESSES = [
  '169.254.169.254',
  '169.254.170.2',
  '168.63.129.16',
  '100.100.100.200',
  '192.0.0.192',
] as const;

export interface EgressPolicy {
  readonly deny: readonly AddressRange[];
  readonly allow: readonly AddressRange[];
}

export interface EgressSettings {
  /** Ranges that may be reached although they are not public. */
  readonly allow: readonly string[];
  /** Ranges that may not be reached although they are public. */
  readonly deny: readonly string[];
  /** Resolvers; each may be reached. */
  readonly dns: readonly string[];
  /** Every address of the engine's host and of the worker's. */
  readonly hostAddresses: readonly string[];
}

/** The policy of a container. The longest prefix decides; of equals the denial. All texts were checked before. */
export function egressPolicy({ allow, deny, dns, hostAddresses }: EgressSettings): EgressPolicy {
  const denied = unique([...NOT_PUBLIC, ...METADATA_ADDRESSES, ...deny, ...hostAddresses.filter(isNotLoopback)]);
  const isDenied = (range: AddressRange) => denied.some((other) => equal(other, range));
  return { deny: denied, allow: unique([...allow, ...dns]).filter((range) => !isDenied(range)) };
}

/** Why a range must not be allowed; undefined where it may. */
export function allowFault(text: string): string | undefined {
  const range = parseRange(text);
  if (range === undefined) return 'must be an IPv4 address or range like 10.1.0.0/16';
  if (range.prefix < 8) return 'is too wide: give ranges of /8 or longer';
  if (covers(LOOPBACK, range)) return 'is the loopback: a container has its own';
  const metadata = METADATA_ADDRESSES.find((address) => covers(range, parse(address)) && range.prefix === 32);
  if (metadata !== undefined) return `is a cloud’s metadata address, which is never reached`;
  return undefined;
}

const LOOPBACK: AddressRange = { address: 0x7f000000, prefix: 8 };

function isNotLoopback(address: string): boolean {
  const range = parseRange(address);
  return range !== undefined && !covers(LOOPBACK, range);
}

function unique(texts: readonly string[]): AddressRange[] {
  const ranges = texts.map(parse);
  return ranges.filter((range, index) => ranges.findIndex((other) => equal(other, range)) === index);
}

function equal(a: AddressRange, b: AddressRange): boolean {
  return a.address === b.address && a.prefix === b.prefix;
}

function parse(text: string): AddressRange {
  const range = parseRange(text);
  if (range === undefined) throw new RangeError(`${JSON.stringify(text)} is no range of addresses`);
  return range;
}
