import { expect, test } from 'vitest';
import { KeptProcess } from './kept-process.js';

const limits = { maxUses: 3, maxAgeMs: 1000 };

test('a process is used as often as it may be, and a next one after it', () => {
  const kept = new KeptProcess();
  const asked = [];
  for (let uses = 1; uses <= 3; uses++) {
    const request = kept.request(limits, 0);
    asked.push(request);
    kept.ended({ kept: !request.last, uses }, 0);
  }
  expect(asked.map(({ last }) => last)).toEqual([false, false, true]);
  expect(kept.request(limits, 0)).toEqual({ last: false, fresh: false });
});

test('one that is too old is not used, and its successor is young', () => {
  const kept = new KeptProcess();
  kept.request(limits, 100);
  kept.ended({ kept: true, uses: 1 }, 100);
  expect(kept.request(limits, 1099).fresh).toBe(false);
  kept.ended({ kept: true, uses: 2 }, 1099);
  expect(kept.request(limits, 1100)).toEqual({ last: false, fresh: true });
  kept.ended({ kept: true, uses: 1 }, 1100);
  expect(kept.request(limits, 2099).fresh).toBe(false);
});

test('where the supervisor had to start another one, that one counts', () => {
  const kept = new KeptProcess();
  kept.request(limits, 0);
  kept.ended({ kept: true, uses: 1 }, 0);
  kept.request(limits, 900);
  kept.ended({ kept: true, uses: 1 }, 900);
  expect(kept.request(limits, 1800)).toEqual({ last: false, fresh: false });
  kept.ended({ kept: false, uses: 2 }, 1800);
  expect(kept.request({ maxUses: 1, maxAgeMs: 1000 }, 5000)).toEqual({ last: true, fresh: false });
});
