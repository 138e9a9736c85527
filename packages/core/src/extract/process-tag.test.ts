import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { isProcessGone, ownProcessTag } from './process-tag.js';

const own = ownProcessTag();
const [host, pid, start] = own.split('-');

test('this process lives', () => {
  expect(own).toMatch(/^[0-9a-f]{8}-\d+-\d+$/);
  expect(ownProcessTag()).toBe(own);
  expect(isProcessGone(own)).toBe(false);
});

test('a process that ended is gone, and so is an earlier one with this pid', () => {
  const { pid: ended } = spawnSync(process.execPath, ['--version']);
  expect(isProcessGone(`${host}-${ended}-1`)).toBe(true);
  if (process.platform === 'linux') expect(isProcessGone(`${host}-${pid}-${Number(start) - 1}`)).toBe(true);
});

test('of another host, and of names that are no tags, nothing is known', () => {
  expect(isProcessGone(`00000000-${pid}-1`)).toBe(false);
  expect(isProcessGone('something')).toBe(false);
  expect(isProcessGone('')).toBe(false);
});
