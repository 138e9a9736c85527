/** The bare process on this host, where it has a `python3`. Owns no state. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Path and version of the host's own Python; undefined where there is none. What `python3` in the PATH names may be
 * a launcher that takes longer than Python itself: the interpreter is asked where it lies.
 */
export async function hostPython() {
  try {
    const { stdout } = await run('python3', ['-c', 'import sys; print(sys.executable); print(sys.version.split()[0])']);
    const [path, version] = stdout.trim().split('\n');
    return { path, version };
  } catch {
    return undefined;
  }
}

/** Runs a script to its end; returns what it wrote. */
export async function runBare(path, script, env, signal) {
  const { stdout } = await run(path, [script], { env: { ...process.env, ...env }, signal });
  return stdout;
}
