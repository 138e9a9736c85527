/** Which network a function may use: none, the LLM service alone, or the outside. Owns no state. */

import type { CoreConfig } from '../config/core-config.js';

/**
 * - `none`: nothing but its own loopback. The default.
 * - `ai`: still no network; one port of its loopback leads to `aiEndpoint`, by way of the worker.
 * - `internet`: public addresses, and what `network.allow` names; never the host, its private networks, the cloud's
 *   metadata address or other containers. Leads to `aiEndpoint` too, where one is configured.
 */
export type NetworkGrant = 'none' | 'ai' | 'internet';

export const NETWORK_GRANTS = ['none', 'ai', 'internet'] as const satisfies readonly NetworkGrant[];

/** What the configuration grants to a function: by its id, else by `*`, else nothing. */
export function networkGrant(functionId: string | undefined, { network }: Pick<CoreConfig, 'network'>): NetworkGrant {
  const own = functionId !== undefined && Object.hasOwn(network.grants, functionId);
  return (own ? network.grants[functionId] : network.grants['*']) ?? 'none';
}
