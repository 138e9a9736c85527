/** Signatures of callbacks, against the example that Standard Webhooks' libraries are tested with. */

import { expect, test } from 'vitest';
import { signCallback } from './sign-callback.js';

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', unixSeconds: 1_614_265_330, body: '{"test": 2432232314}' };

test('the signature is what the standard says', () => {
  expect(signCallback([secret], message)).toEqual({
    'webhook-id': message.id,
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test('each secret gives a signature; id, time and body each change it', () => {
  const signature = (secrets: string[], changed = {}) =>
    signCallback(secrets, { ...message, ...changed })['webhook-signature'] as string;
  const both = signature([secret, `whsec_${'A'.repeat(32)}`]).split(' ');
  expect(both[0]).toBe(signature([secret]));
  expect(both[1]).toMatch(/^v1,[A-Za-z0-9+/]{43}=$/);
  const others = [{ id: 'msg_2' }, { unixSeconds: 1 }, { body: '{}' }].map((changed) => signature([secret], changed));
  expect(new Set([both[0], both[1], ...others]).size).toBe(5);
});
