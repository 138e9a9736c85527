import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { runProcess } from './run-process.js';

describe('runProcess', () => {
  const signal = new AbortController().signal;

  test('hands stdout over and resolves when all of it is out', async () => {
    let output: Promise<string> | undefined;
    await runProcess(['sh', '-c', 'printf one; printf two'], { signal, onStdout: (stdout) => (output = text(stdout)) });
    expect(await output).toBe('onetwo');
  });

  test('a failure tells the last lines; a missing program is ENOENT', async () => {
    await expect(runProcess(['sh', '-c', 'echo no space >&2; exit 3'], { signal })).rejects.toThrow(
      /^sh ended with 3\n {2}no space$/,
    );
    await expect(runProcess(['nanogrid-no-such-program'], { signal })).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('an abort kills the program and what it started', async () => {
    const abort = new AbortController();
    // The grandchild holds stderr open: the call can only end once it is dead too.
    const run = runProcess(['sh', '-c', 'sleep 600 & echo started >&2; wait'], {
      signal: abort.signal,
      onMessage: () => abort.abort(new Error('enough')),
    });
    await expect(run).rejects.toThrow('enough');
  });
});
