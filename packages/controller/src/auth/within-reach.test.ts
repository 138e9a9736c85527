/** How long a request waits for what controllers share. */

import { expect, test } from 'vitest';
import { withinReach } from './within-reach.js';

test('what does not come is given up, what comes is passed on, errors as well', async () => {
  await expect(withinReach(new Promise(() => {}), 1)).rejects.toThrow('no answer within 1 ms');
  expect(await withinReach(Promise.resolve(7), 60_000)).toBe(7);
  await expect(withinReach(Promise.reject(new Error('refused')), 60_000)).rejects.toThrow('refused');
});

test('an answer that came while this process stood still is in time', async () => {
  const found = await new Promise((resolve) => {
    // From here the loop goes on with the timers that are due; from elsewhere it might look at the answer before them.
    setImmediate(() => {
      // What the loop looks at after its timers, as it does with sockets.
      const answer = new Promise((came) => setImmediate(() => came('came')));
      resolve(withinReach(answer, 1));
      const until = performance.now() + 20;
      while (performance.now() < until);
    });
  });
  expect(found).toBe('came');
});
