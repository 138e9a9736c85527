import { expect, test } from 'vitest';
import { VersionMemory } from './version-memory.js';

const object = (key: string) => ({ Bucket: 'b', Key: key });
const version = { version: 'v1', sizeBytes: 1 };

test('repeats a version until its time is over', () => {
  let now = 0;
  const memory = new VersionMemory(100, () => now);
  memory.set(object('a'), version);
  now = 99;
  expect(memory.get(object('a'))).toBe(version);
  expect(memory.get(object('b'))).toBeUndefined();
  now = 100;
  expect(memory.get(object('a'))).toBeUndefined();
});

test('remembers nothing unless asked to', () => {
  const memory = new VersionMemory(0, () => 0);
  memory.set(object('a'), version);
  expect(memory.get(object('a'))).toBeUndefined();
});

test('is bounded: the oldest go', () => {
  const memory = new VersionMemory(100, () => 0);
  for (let at = 0; at <= 10_000; at++) memory.set(object(String(at)), version);
  expect(memory.get(object('0'))).toBeUndefined();
  expect(memory.get(object('1'))).toBe(version);
  expect(memory.get(object('10000'))).toBe(version);
});
