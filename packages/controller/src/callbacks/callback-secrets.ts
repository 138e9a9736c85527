/** Which secrets sign the callbacks of a key's jobs. Owns no state. */

import type { CoreConfig } from '@nanogrid/core';

/** The key's own, else those of the controller; none where there are none. The first one is the current. */
export function callbackSecrets({ apiKeys, callbacks }: CoreConfig['controller'], keyId: string): readonly string[] {
  const own = apiKeys.find(({ id }) => id === keyId)?.callbackSecret;
  if (own !== undefined) return [own];
  const { secret, previousSecret } = callbacks;
  if (secret === undefined) return [];
  return previousSecret === undefined ? [secret] : [secret, previousSecret];
}
