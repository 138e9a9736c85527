/** Lists the files that belong to the repository. Owns no state. */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const NEVER = new Set(['node_modules', 'dist', '.git', '.build', '.nanogrid']);

/**
 * Paths (with `/`) that git knows or would add, sorted; without git, or outside a checkout, every file but those of
 * installed and built folders.
 */
export function trackedFiles(root) {
  const git = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const paths = git.status === 0 ? git.stdout.split('\0').filter(Boolean) : walk(root, '');
  // A file that was deleted but not yet staged is still listed.
  return [...new Set(paths)].filter((path) => existsSync(join(root, path))).sort();
}

function walk(root, folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return NEVER.has(entry.name) ? [] : walk(root, path);
    return entry.isFile() ? [path] : [];
  });
}
