/** Which addresses the platform's own requests to users' servers may go to: public ones, and what is allowed. Owns its lists, which never change. */

import { BlockList, isIP } from 'node:net';
import { METADATA_ADDRESSES, NOT_PUBLIC } from './egress-policy.js';

/** The one range of IPv6 that is handed out for the internet (RFC 4291), and what in it is not (IANA's special-purpose registry). */
const PUBLIC_IPV6 = '2000::/3';
const NOT_PUBLIC_IPV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];
/** Where clouds hand out the machine's credentials: AWS. */
const METADATA_IPV6 = ['fd00:ec2::254', 'fd20:ce::254'];

/** Why a text is no address or range; undefined where it is one. */
export function addressRangeFault(text: string): string | undefined {
  const [address = '', prefix, ...more] = text.split('/');
  const family = isIP(address);
  const most = family === 4 ? 32 : 128;
  const isPrefix = prefix === undefined || (/^(0|[1-9]\d{0,2})$/.test(prefix) && Number(prefix) <= most);
  if (family !== 0 && isPrefix && more.length === 0) return undefined;
  return 'must be an IPv4 or IPv6 address or range like 10.1.0.0/16';
}

export class AddressGuard {
  readonly #allowed: BlockList;
  readonly #metadata = listOf([...METADATA_ADDRESSES, ...METADATA_IPV6]);
  readonly #public6 = listOf([PUBLIC_IPV6]);
  readonly #notPublic = listOf([...NOT_PUBLIC, '127.0.0.0/8', ...NOT_PUBLIC_IPV6]);

  /** `allow`: ranges without a fault. */
  constructor(allow: readonly string[]) {
    this.#allowed = listOf(allow);
  }

  /** Whether an IP address is on the list of what is allowed; metadata addresses never are. */
  isAllowed(address: string): boolean {
    return has(this.#allowed, address) && !has(this.#metadata, address);
  }

  /** Whether an IP address may be reached. What is no address may not. */
  permits(address: string): boolean {
    if (this.isAllowed(address)) return true;
    const family = isIP(address);
    if (family === 0 || has(this.#metadata, address) || has(this.#notPublic, address)) return false;
    // An IPv4 address in the clothes of an IPv6 one (::ffff:127.0.0.1, 64:ff9b::7f00:1) lies outside of the public range.
    return family === 4 || has(this.#public6, address);
  }
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/');
    const type = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (prefix === undefined) list.addAddress(address, type);
    else list.addSubnet(address, Number(prefix), type);
  }
  return list;
}

function has(list: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
}
