/** Which controller a command asks, and with which key. Owns no state. */

import { isIPv4 } from 'node:net';
import { NanoGridError } from '@nanogrid/core';
import type { Io } from '../io.js';
import { type Profile, profilesPath, readProfiles } from './profiles.js';

export interface ConnectionOptions {
  readonly server?: string;
  readonly apiKey?: string;
  readonly profile?: string;
}

export interface Connection {
  readonly server: URL;
  readonly apiKey: string | undefined;
  /** Whether the key crosses a network unencrypted. */
  readonly inTheOpen: boolean;
}

/** What `nanogrid dev` serves unless told otherwise. */
const DEFAULT_SERVER = 'http://127.0.0.1:3000';

/**
 * Options come before variables, variables before the profile, which comes before the default. Throws `NG_USAGE` for an
 * address that is none and a profile that there is not, and as `readProfiles` does.
 */
export async function findConnection(options: ConnectionOptions, { env }: Pick<Io, 'env'>): Promise<Connection> {
  const given = options.server ?? (env.NANOGRID_SERVER || undefined);
  const givenKey = options.apiKey ?? (env.NANOGRID_API_KEY || undefined);
  const named = options.profile ?? (env.NANOGRID_PROFILE || undefined);
  const profile = given !== undefined && givenKey !== undefined ? undefined : await findProfile(named, env);
  const server = serverAddress(given ?? profile?.server ?? DEFAULT_SERVER);
  // A profile's key is for its own server: it must not go to whatever address is named beside it.
  const isItsServer = profile !== undefined && serverAddress(profile.server).origin === server.origin;
  const apiKey = givenKey ?? (isItsServer ? profile.apiKey : undefined);
  if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new NanoGridError('NG_USAGE', 'The API key holds characters that no key has.', {
      hint: 'Give the key as nanogrid keys create printed it, without blanks or line ends.',
    });
  }
  const inTheOpen = apiKey !== undefined && server.protocol === 'http:' && !isLoopback(server.hostname);
  return { server, apiKey, inTheOpen };
}

/** The address, which may have a path before the API's own. */
export function serverAddress(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.search !== '') {
    throw new NanoGridError('NG_USAGE', `${JSON.stringify(text)} is no address of a controller.`, {
      hint: 'Give http:// or https://, the host and the port, for instance http://127.0.0.1:3000.',
    });
  }
  return url;
}

async function findProfile(name: string | undefined, env: Io['env']): Promise<Profile | undefined> {
  const { profiles, default: usual } = await readProfiles(profilesPath({ env }));
  const wanted = name ?? usual;
  if (wanted === undefined) return undefined;
  if (Object.hasOwn(profiles, wanted)) return profiles[wanted];
  if (name === undefined) return undefined;
  throw new NanoGridError('NG_USAGE', `There is no profile ${JSON.stringify(name)}.`, {
    hint: 'nanogrid profile ls shows those that there are; nanogrid profile set makes one.',
  });
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || (isIPv4(host) && host.startsWith('127.'));
}
