import { expect, test } from 'vitest';
import { Field } from '../exec/protocol.js';
import { type AskedPosture, checkPosture } from './check-posture.js';

const asked: AskedPosture = {
  memoryBytes: 64 * 2 ** 20,
  pids: 128,
  capabilities: ['SETUID', 'SETGID', 'KILL'],
  ociRuntime: undefined,
};

const confined = {
  [Field.NO_NEW_PRIVS]: 1,
  [Field.SECCOMP]: 2,
  [Field.CAP_EFFECTIVE]: 0xe0,
  [Field.CAP_BOUNDING]: 0xe0,
  [Field.READ_ONLY_ROOT]: 1,
  [Field.MEMORY_LIMIT]: asked.memoryBytes,
  [Field.PIDS_LIMIT]: 128,
};

function hello(change: Record<number, number | undefined> = {}): Map<number, number> {
  const fields = Object.entries({ ...confined, ...change });
  return new Map(fields.flatMap(([tag, value]) => (value === undefined ? [] : [[Number(tag), value] as const])));
}

test('a container that is as asked is taken', () => {
  checkPosture(hello(), asked);
});

test.each([
  [Field.NO_NEW_PRIVS, 0, 'no_new_privs is 0'],
  [Field.SECCOMP, 0, 'seccomp is 0'],
  [Field.SECCOMP, 1, 'seccomp is 1'],
  [Field.CAP_EFFECTIVE, 0x200000e0, 'effective capabilities'],
  [Field.CAP_EFFECTIVE, 0, 'effective capabilities'],
  [Field.CAP_BOUNDING, 0xa80425fb, 'bounding capabilities'],
  [Field.READ_ONLY_ROOT, 0, 'read-only root is 0'],
  [Field.MEMORY_LIMIT, 2 ** 63, 'memory limit'],
  [Field.PIDS_LIMIT, 2 ** 64, 'process limit'],
])('field %i as %i is refused, and so is its absence', (field, value, message) => {
  const refused = (change: Record<number, number | undefined>) => {
    try {
      checkPosture(hello(change), asked);
    } catch (error) {
      return error;
    }
    return undefined;
  };
  expect(refused({ [field]: value })).toMatchObject({
    code: 'NG_ENGINE_UNSAFE',
    message: expect.stringContaining(message),
  });
  expect(refused({ [field]: undefined })).toMatchObject({ code: 'NG_ENGINE_UNSAFE' });
});

test('a granted network brings its capability, and a capability without a number is refused', () => {
  const capabilities = [...asked.capabilities, 'NET_ADMIN'];
  checkPosture(hello({ [Field.CAP_EFFECTIVE]: 0x10e0, [Field.CAP_BOUNDING]: 0x10e0 }), { ...asked, capabilities });
  expect(() => checkPosture(hello(), { ...asked, capabilities: ['SYS_ADMIN'] })).toThrow('capabilities');
});

test('a kernel of its own needs no filter, but only where it was asked for; the rest holds', () => {
  const inside = {
    [Field.OWN_KERNEL]: 1,
    [Field.NO_NEW_PRIVS]: undefined,
    [Field.SECCOMP]: 0,
    [Field.PIDS_LIMIT]: undefined,
  };
  const gvisor = { ...asked, ociRuntime: 'runsc' };
  checkPosture(hello(inside), gvisor);
  expect(() => checkPosture(hello(inside), asked)).toThrow('seccomp is 0');
  expect(() => checkPosture(hello({ ...inside, [Field.OWN_KERNEL]: undefined }), gvisor)).toThrow('seccomp is 0');
  expect(() => checkPosture(hello({ ...inside, [Field.CAP_EFFECTIVE]: 0x1ff }), gvisor)).toThrow('capabilities');
  expect(() => checkPosture(hello({ ...inside, [Field.MEMORY_LIMIT]: 2 ** 40 }), gvisor)).toThrow('memory limit');
});
