import { expect, test } from 'vitest';
import { SingleFlight } from './single-flight.js';

/** An operation that a test ends by hand. */
function operation() {
  const calls: AbortSignal[] = [];
  const ends: { resolve: (value: string) => void; reject: (error: Error) => void }[] = [];
  const start = (signal: AbortSignal) => {
    calls.push(signal);
    return new Promise<string>((resolve, reject) => {
      ends.push({ resolve, reject });
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  };
  return { calls, ends, start };
}
const same = (value: string) => value;
const never = new AbortController().signal;

test('all who ask at once share one operation, and each takes once', async () => {
  const settled: string[] = [];
  const flights = new SingleFlight<string>((value) => settled.push(value));
  const { calls, ends, start } = operation();
  let taken = 0;
  const take = (value: string) => `${value}${++taken}`;
  const all = Promise.all([1, 2, 3].map(() => flights.join('k', never, start, take)));
  ends[0]?.resolve('v');
  expect(await all).toEqual(['v1', 'v2', 'v3']);
  expect(calls.length).toBe(1);
  expect(settled).toEqual(['v']);
});

test('another key, and the same key later, are operations of their own', async () => {
  const flights = new SingleFlight<string>(() => {});
  const { calls, ends, start } = operation();
  const first = flights.join('a', never, start, same);
  const second = flights.join('b', never, start, same);
  for (const end of ends) end.resolve('v');
  await Promise.all([first, second]);
  const third = flights.join('a', never, start, same);
  ends[2]?.resolve('w');
  expect(await third).toBe('w');
  expect(calls.length).toBe(3);
});

test('a failure reaches all who wait, and the next one tries again', async () => {
  const flights = new SingleFlight<string>(() => {});
  const { calls, ends, start } = operation();
  const both = Promise.allSettled([flights.join('k', never, start, same), flights.join('k', never, start, same)]);
  const error = new Error('no');
  ends[0]?.reject(error);
  expect(await both).toEqual([
    { status: 'rejected', reason: error },
    { status: 'rejected', reason: error },
  ]);
  const again = flights.join('k', never, start, same);
  ends[1]?.resolve('v');
  expect(await again).toBe('v');
  expect(calls.length).toBe(2);
});

test('one caller’s abort leaves the others alone; the last one’s ends the operation', async () => {
  const flights = new SingleFlight<string>(() => {});
  const { calls, ends, start } = operation();
  const [one, two] = [new AbortController(), new AbortController()];
  const first = flights.join('k', one.signal, start, same);
  const second = flights.join('k', two.signal, start, same);
  one.abort(new Error('first left'));
  await expect(first).rejects.toThrow('first left');
  expect(calls[0]?.aborted).toBe(false);
  two.abort(new Error('second left'));
  // A newcomer does not join what is being given up.
  const third = flights.join('k', never, start, same);
  await expect(second).rejects.toThrow('second left');
  expect(calls[0]?.aborted).toBe(true);
  ends[1]?.resolve('v');
  expect(await third).toBe('v');
});

test('a caller that was aborted before starts nothing', async () => {
  const flights = new SingleFlight<string>(() => {});
  const { calls, start } = operation();
  await expect(flights.join('k', AbortSignal.abort(new Error('late')), start, same)).rejects.toThrow('late');
  expect(calls.length).toBe(0);
});

test('closing aborts what is under way and waits for its end', async () => {
  const flights = new SingleFlight<string>(() => {});
  const { calls, start } = operation();
  const waiting = flights.join('k', never, start, same);
  const outcome = expect(waiting).rejects.toThrow('closed');
  await flights.close(new Error('closed'));
  await outcome;
  expect(calls[0]?.aborted).toBe(true);
});
