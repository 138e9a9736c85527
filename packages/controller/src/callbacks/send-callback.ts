/** One try to deliver a callback. Owns its connection, which serves nothing else. */

import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { AddressGuard } from '@nanogrid/core';
import { hostOf } from './callback-url.js';

export interface CallbackTry {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly guard: AddressGuard;
  /** Ends the try. */
  readonly signal: AbortSignal;
  /** Finds the addresses of a name. Default: the system's way. */
  readonly lookup?: typeof systemLookup;
}

export interface CallbackAnswer {
  readonly status: number;
  /** What the receiver asked for with `Retry-After`, in milliseconds; undefined where it did not. */
  readonly retryAfterMs: number | undefined;
}

/** The address may not be reached: another try would be as wrong. */
export class CallbackRefused extends Error {
  override readonly name = 'CallbackRefused';
}

/**
 * Resolves with any answer; redirects are answers, and nothing of the answer's body is read. Rejects with `CallbackRefused` where an
 * address of the host may not be reached, and with the system's error where there is no answer.
 */
export async function sendCallback({
  url,
  headers,
  body,
  guard,
  signal,
  lookup,
}: CallbackTry): Promise<CallbackAnswer> {
  const isSecure = url.protocol === 'https:';
  // Without TLS nobody knows who is there, and everybody reads along: only where that was allowed.
  const permits = (address: string) => (isSecure ? guard.permits(address) : guard.isAllowed(address));
  const host = hostOf(url);
  if (isIP(host) > 0 && !permits(host)) throw refusal(host);
  const send = isSecure ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const sent = send(url, {
      method: 'POST',
      headers: { ...headers, 'content-length': `${Buffer.byteLength(body)}` },
      // A connection of its own: one that was kept could lead to an address that was checked for somebody else.
      agent: false,
      lookup: checkedLookup(permits, lookup),
      signal,
    });
    sent.on('response', (response) => {
      const { statusCode: status = 0, headers } = response;
      resolve({ status, retryAfterMs: retryAfterOf(headers['retry-after']) });
      response.on('error', () => {});
      response.destroy();
    });
    sent.on('error', reject);
    sent.on('close', () => reject(new Error('the connection was closed without an answer')));
    sent.end(body);
  });
}

/** The connection goes to the very addresses that were checked. One that may not be reached refuses the name. */
function checkedLookup(permits: (address: string) => boolean, lookup = systemLookup): LookupFunction {
  return (hostname, options, done) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      const addresses = (found ?? []) as unknown as LookupAddress[];
      const denied = addresses.find(({ address }) => !permits(address));
      const [first] = addresses;
      if (error !== null) done(error, '');
      else if (denied !== undefined) done(refusal(hostname), '');
      else if (first === undefined) done(new Error('the name has no address'), '');
      else if (options.all === true) done(null, addresses);
      else done(null, first.address, first.family);
    });
  };
}

/** Which address it was is not told: it says something about the network here. */
function refusal(host: string): CallbackRefused {
  return new CallbackRefused(`${host} leads to an address that callbacks may not go to`);
}

function retryAfterOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,6}$/.test(text.trim()) ? Number(text) * 1_000 : undefined;
}
