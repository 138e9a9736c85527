/** Which addresses a callback may go to. */

import { expect, test } from 'vitest';
import { AddressGuard, addressRangeFault } from './address-guard.js';

const guard = new AddressGuard([]);

test.each(['93.184.216.34', '1.1.1.1', '2606:2800:220:1::1', '2a00:1450:4001::1'])('%s is public', (address) => {
  expect(guard.permits(address)).toBe(true);
});

test.each([
  '127.0.0.1',
  '127.9.9.9',
  '0.0.0.0',
  '10.0.0.1',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '100.64.0.1',
  '169.254.169.254',
  '168.63.129.16',
  '100.100.100.200',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:93.184.216.34',
  '64:ff9b::7f00:1',
  'fe80::1',
  'fe80::1%eth0',
  'fc00::1',
  'fd00:ec2::254',
  'ff02::1',
  '2001:db8::1',
  '2002:7f00:1::',
  '2001::1',
  'localhost',
  '',
  '127.1',
])('%s is not', (address) => {
  expect(guard.permits(address)).toBe(false);
});

test('what is allowed may be reached, and nothing beside it; metadata addresses never', () => {
  const allowing = new AddressGuard(['10.1.0.0/16', '::1', '169.254.0.0/16']);
  expect(['10.1.2.3', '::1', '169.254.1.1'].map((address) => allowing.permits(address))).toEqual([true, true, true]);
  expect(['10.2.0.1', '::2', '169.254.169.254'].map((address) => allowing.permits(address))).toEqual(
    Array(3).fill(false),
  );
  expect(allowing.isAllowed('1.1.1.1')).toBe(false);
});

test.each(['10.0.0.0/33', '10.0.0', 'example.com', '::1/129', '10.0.0.0/8/8', '10.0.0.0/', ''])(
  '%j is no range',
  (text) => {
    expect(addressRangeFault(text)).toMatch(/must be/);
  },
);

test.each(['10.0.0.0/8', '127.0.0.1', '::1', 'fd00::/8'])('%j is one', (text) => {
  expect(addressRangeFault(text)).toBeUndefined();
});
