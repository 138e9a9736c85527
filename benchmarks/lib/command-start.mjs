/** `nanogrid start` as a user runs it, from its start until it says that it takes jobs. Owns the process and its folder. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../../packages/cli/dist/bin.js', import.meta.url));

/** One start, in milliseconds; the worker is stopped again outside the measured time. */
export async function startCommand(signal) {
  const folder = await mkdtemp(join(tmpdir(), 'nanogrid-bench-'));
  try {
    const config = { http: { port: 0 }, dataDir: join(folder, 'data'), workDir: join(folder, 'work') };
    await writeFile(join(folder, 'nanogrid.config.json'), JSON.stringify(config));
    const begun = performance.now();
    // A group of its own: Ctrl-C reaches this process, which ends the worker.
    const child = spawn(process.execPath, [PROGRAM, 'start', '--json', '--log-level', 'error'], {
      cwd: folder,
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    try {
      const [chunk] = await Promise.race([once(child.stdout, 'data', { signal }), exited]);
      if (!/"state":\s*"ready"/.test(String(chunk)))
        throw new Error(`nanogrid start ended before it was ready: ${chunk}`);
      return { value: performance.now() - begun };
    } finally {
      child.kill('SIGTERM');
      await exited;
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
