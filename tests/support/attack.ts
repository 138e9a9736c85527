/** Attack functions of `tests/functions/`, as code for each runtime, and what the embedded store holds of a job. Owns no state. */

import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestWorker } from './test-worker.js';

export type AttackRuntime = 'shell' | 'python';

/** The input with which the function lists what it finds in the places it may write to, and does nothing else. */
export const LOOK_AROUND = 'look-around';

const DISPATCH = `set -- $(tr -d '"')
attack=$1
shift
if [ "$attack" = ${LOOK_AROUND} ]; then
  find /output /tmp /var/tmp /dev/shm -mindepth 1
  ls -A | grep -v '[.]sh$' | grep -v '^main[.]'
  exit 0
fi
. "./$attack.sh"
`;
const CALL = 'import subprocess, sys\nsys.exit(subprocess.run(["sh", "dispatch.sh"], close_fds=False).returncode)\n';

/** All shell scripts of a folder of `tests/functions/` as one function, whose input names the script and its arguments. */
export async function attacks(folder: string, runtime: AttackRuntime): Promise<Record<string, string>> {
  const directory = fileURLToPath(new URL(`../functions/${folder}/`, import.meta.url));
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sh'));
  const scripts = names.map(async (name) => [name, await readFile(join(directory, name), 'utf8')] as const);
  const files = Object.fromEntries(await Promise.all(scripts));
  return runtime === 'shell'
    ? { ...files, 'main.sh': DISPATCH }
    : { ...files, 'main.py': CALL, 'dispatch.sh': DISPATCH };
}

/** Every file that the store holds of a job, read from the disk, by its path below the job's `/output`. */
export async function storedOutputs(worker: TestWorker, requestId: string): Promise<Map<string, Buffer>> {
  const outputs = join(worker.dataDir, 'outputs', 'nanogrid-user-data', 'outputs', requestId);
  const entries = await readdir(outputs, { recursive: true, withFileTypes: true }).catch(() => []);
  const found = new Map<string, Buffer>();
  for (const entry of entries) {
    if (entry.isDirectory()) continue;
    if (!entry.isFile()) throw new Error(`the store holds something that is no file: ${entry.name}`);
    const path = join(entry.parentPath, entry.name);
    found.set(relative(outputs, path), await readFile(path));
  }
  return found;
}
