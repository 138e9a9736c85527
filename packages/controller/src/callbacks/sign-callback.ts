/** Signs a callback as Standard Webhooks has it, so that its receiver knows whom it comes from and when it was sent. Owns no state. */

import { createHmac } from 'node:crypto';

/**
 * The three headers. Signed are the id, the time and the body, each in the place that the receiver expects it; a receiver
 * takes the callback where one of the signatures is right and the time is near its own. `secrets`: `whsec_` and Base64.
 */
export function signCallback(
  secrets: readonly string[],
  { id, unixSeconds, body }: { readonly id: string; readonly unixSeconds: number; readonly body: string },
): Record<string, string> {
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${unixSeconds}.${body}`).digest('base64')}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': `${unixSeconds}`,
    'webhook-signature': signatures.join(' '),
  };
}
