import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { withFileLock } from './file-lock.mjs';

const module = new URL('./file-lock.mjs', import.meta.url).href;
let directory;
let lock;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nanogrid-lock-'));
  lock = join(directory, 'sub', 'lock');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** A process that takes the lock, says so, and holds it until it is told to end or is killed. */
async function holder() {
  const program = `
    import { withFileLock } from ${JSON.stringify(module)};
    await withFileLock(${JSON.stringify(lock)}, async () => {
      console.log('held');
      await new Promise((resolve) => process.stdin.once('data', resolve));
    });
    process.exit(0);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

describe('withFileLock', () => {
  test('gives the result and removes the lock, also after a failure', async () => {
    expect(await withFileLock(lock, async () => existsSync(lock))).toBe(true);
    await expect(withFileLock(lock, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await readdir(join(directory, 'sub'))).toEqual([]);
  });

  test('waits for a live holder, and says whom it waits for', async () => {
    const child = await holder();
    const order = [];
    let told;
    const asked = new Promise((resolve) => {
      told = resolve;
    });
    const second = withFileLock(lock, async () => order.push('second'), told);
    expect(await asked).toBe(child.pid);
    order.push('first ends');
    child.stdin.write('end\n');
    await second;
    expect(order).toEqual(['first ends', 'second']);
  });

  test('takes over the lock of a process that was killed', async () => {
    const child = await holder();
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(existsSync(lock)).toBe(true);
    expect(await withFileLock(lock, async () => 'mine')).toBe('mine');
  });

  test('takes over a lock whose process id now belongs to another', async () => {
    await withFileLock(lock, async () => {});
    await writeFile(lock, `${process.pid} 1\n`);
    expect(await withFileLock(lock, async () => 'mine')).toBe('mine');
  });

  test('is held by one at a time when many take over at once', async () => {
    const child = await holder();
    child.kill('SIGKILL');
    await once(child, 'exit');
    const program = `
      import { withFileLock } from ${JSON.stringify(module)};
      import { openSync, closeSync, unlinkSync } from 'node:fs';
      const file = ${JSON.stringify(join(directory, 'inside'))};
      for (let i = 0; i < 20; i++) {
        await withFileLock(${JSON.stringify(lock)}, async () => {
          closeSync(openSync(file, 'wx'));
          await new Promise((resolve) => setImmediate(resolve));
          unlinkSync(file);
        });
      }`;
    const children = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' }),
    );
    const codes = await Promise.all(children.map(async (each) => (await once(each, 'exit'))[0]));
    expect(codes).toEqual([0, 0, 0, 0]);
  });
});
