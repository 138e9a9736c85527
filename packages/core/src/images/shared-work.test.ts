import { describe, expect, test } from 'vitest';
import { SharedWork } from './shared-work.js';

/** Work that runs until it is told to end, and notes what became of it. */
function openWork() {
  const seen = { started: 0, aborted: 0, cleanedUp: 0 };
  let resolve: (text: string) => void = () => {};
  const promise = new Promise<string>((settle) => {
    resolve = settle;
  });
  const reports: ((text: string) => void)[] = [];
  const work = async (signal: AbortSignal, report: (text: string) => void): Promise<string> => {
    seen.started += 1;
    reports.push(report);
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => {
        seen.aborted += 1;
        setImmediate(() => {
          seen.cleanedUp += 1;
          reject(signal.reason);
        });
      });
    });
    return Promise.race([promise, aborted]);
  };
  return { seen, work, end: (text: string) => resolve(text), report: (text: string) => reports.at(-1)?.(text) };
}

describe('SharedWork', () => {
  test('callers of one key share one attempt and hear its progress; another key is its own', async () => {
    const shared = new SharedWork<string>();
    const { seen, work, end, report } = openWork();
    const heard: string[] = [];
    const onProgress = (text: string): void => void heard.push(text);
    const calls = [shared.run('a', { onProgress }, work), shared.run('a', { onProgress }, work)];
    report('half');
    expect(await shared.run('b', {}, async () => 'other')).toBe('other');
    end('done');
    expect(await Promise.all(calls)).toEqual(['done', 'done']);
    expect(seen).toEqual({ started: 1, aborted: 0, cleanedUp: 0 });
    expect(heard).toEqual(['half', 'half']);
  });

  test('a caller that gives up leaves the attempt to the others', async () => {
    const shared = new SharedWork<string>();
    const { seen, work, end } = openWork();
    const abort = new AbortController();
    const leaver = shared.run('a', { signal: abort.signal }, work);
    const stayer = shared.run('a', {}, work);
    abort.abort(new Error('enough'));
    await expect(leaver).rejects.toThrow('enough');
    end('done');
    expect(await stayer).toBe('done');
    expect(seen.aborted).toBe(0);
  });

  test('the last one to leave aborts the attempt and waits until it has cleaned up', async () => {
    const shared = new SharedWork<string>();
    const { seen, work } = openWork();
    const abort = new AbortController();
    const calls = [1, 2].map(() => shared.run('a', { signal: abort.signal }, work));
    abort.abort(new Error('enough'));
    const ends = await Promise.allSettled(calls);
    expect(ends.map((end) => end.status)).toEqual(['rejected', 'rejected']);
    expect(seen).toEqual({ started: 1, aborted: 1, cleanedUp: 1 });
  });

  test('a failure is not kept: the next call tries again', async () => {
    const shared = new SharedWork<string>();
    await expect(shared.run('a', {}, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await shared.run('a', {}, async () => 'yes')).toBe('yes');
  });

  test('a signal that is aborted already starts nothing', async () => {
    const { seen, work } = openWork();
    await expect(new SharedWork().run('a', { signal: AbortSignal.abort() }, work)).rejects.toThrow();
    expect(seen.started).toBe(0);
  });
});
