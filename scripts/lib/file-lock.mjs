/** A lock between processes: a file that names its holder. A lock whose holder is dead is taken over. */

import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 100;
/** A takeover takes a moment; one that was left behind for so long was cut short. */
const TAKEOVER_STALE_MS = 10_000;

/**
 * Runs `work` while holding the lock `path`, waiting for whoever holds it.
 *
 * @template T
 * @param {string} path the lock file; its folder is made
 * @param {() => Promise<T>} work
 * @param {(pid: number) => void} [onWait] called once when another process holds the lock
 * @returns {Promise<T>}
 */
export async function withFileLock(path, work, onWait = () => {}) {
  mkdirSync(dirname(path), { recursive: true });
  const me = describeProcess(process.pid);
  const release = () => {
    if (readHolder(path)?.text === me) rmSync(path, { force: true });
  };
  for (let waited = false; !create(path, me); ) {
    const holder = readHolder(path);
    if (holder === undefined) continue;
    if (!isAlive(holder)) {
      takeOver(path);
      continue;
    }
    if (!waited) onWait(holder.pid);
    waited = true;
    await sleep(POLL_MS);
  }
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.removeListener('exit', release);
    release();
  }
}

/** Makes the lock with its content in one step, so that nobody reads it half written. */
function create(path, text) {
  const own = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  writeFileSync(own, text, { flag: 'wx' });
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

function readHolder(path) {
  try {
    const text = readFileSync(path, 'utf8');
    return { text, pid: Number.parseInt(text, 10) };
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Removes the lock of a dead process. Only one at a time may, else a second would remove the lock of the first. */
function takeOver(path) {
  const guard = `${path}.takeover`;
  if (!create(guard, describeProcess(process.pid))) {
    const age = Date.now() - (statSync(guard, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > TAKEOVER_STALE_MS) rmSync(guard, { force: true });
    return;
  }
  try {
    const holder = readHolder(path);
    if (holder !== undefined && !isAlive(holder)) renameSync(path, `${path}.stale`);
  } finally {
    rmSync(`${path}.stale`, { force: true });
    rmSync(guard, { force: true });
  }
}

/** A process's id, and when it started where the system tells: ids are used again. */
function describeProcess(pid) {
  return `${pid} ${startOf(pid)}\n`;
}

function isAlive({ text, pid }) {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code === 'ESRCH') return false;
  }
  return text === describeProcess(pid);
}

function startOf(pid) {
  try {
    // The 22nd field; the second one, in brackets, may hold blanks.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)/s, '').trim().split(' ');
    return fields[19];
  } catch {
    return '';
  }
}
