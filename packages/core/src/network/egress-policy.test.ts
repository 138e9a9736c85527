import { describe, expect, test } from 'vitest';
import { type AddressRange, covers, parseRange, rangeBytes } from './address-range.js';
import { allowFault, egressPolicy, METADATA_ADDRESSES } from './egress-policy.js';

const range = (text: string): AddressRange => {
  const parsed = parseRange(text);
  if (!parsed) throw new Error(text);
  return parsed;
};

describe('a range', () => {
  test('is an address, or one with the length of its prefix', () => {
    expect(parseRange('10.1.2.3')).toEqual({ address: 0x0a010203, prefix: 32 });
    expect(parseRange('255.255.255.255')).toEqual({ address: 0xffffffff, prefix: 32 });
    expect(parseRange('0.0.0.0/0')).toEqual({ address: 0, prefix: 0 });
    expect(rangeBytes(range('172.16.0.0/12'))).toEqual(Buffer.from([172, 16, 0, 0, 12]));
  });

  test.each([
    '',
    '10.0.0',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    '10.0.0.1/8',
    '1.2.3.4/',
    '::1',
    'host',
    '1.2.3.4/8/8',
  ])('%j is none', (text) => expect(parseRange(text)).toBeUndefined());

  test('covers those inside of it', () => {
    expect(covers(range('10.0.0.0/8'), range('10.200.1.1'))).toBe(true);
    expect(covers(range('240.0.0.0/4'), range('255.255.255.255'))).toBe(true);
    expect(covers(range('10.0.0.0/8'), range('11.0.0.0/16'))).toBe(false);
    expect(covers(range('10.1.0.0/16'), range('10.0.0.0/8'))).toBe(false);
  });
});

describe('a policy', () => {
  const settings = { allow: [], deny: [], dns: [], hostAddresses: [] };
  const has = (ranges: readonly AddressRange[], text: string) =>
    ranges.some((one) => one.address === range(text).address && one.prefix === range(text).prefix);

  test('denies what is not public, metadata by its own address, and the host', () => {
    const { deny } = egressPolicy({
      ...settings,
      hostAddresses: ['203.0.113.9', '127.0.0.1'],
      deny: ['198.51.100.0/24'],
    });
    for (const text of ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', '100.64.0.0/10'])
      expect(has(deny, text), text).toBe(true);
    for (const text of [...METADATA_ADDRESSES, '203.0.113.9', '198.51.100.0/24'])
      expect(has(deny, text), text).toBe(true);
    expect(has(deny, '127.0.0.1')).toBe(false);
  });

  test('a denial wins over the same range allowed', () => {
    const policy = egressPolicy({ ...settings, allow: ['10.1.0.0/16', '192.168.1.5'], hostAddresses: ['192.168.1.5'] });
    expect(policy.allow).toEqual([range('10.1.0.0/16')]);
    expect(has(policy.deny, '192.168.1.5')).toBe(true);
  });

  test('resolvers may be reached', () => {
    expect(egressPolicy({ ...settings, dns: ['10.0.0.2'] }).allow).toEqual([range('10.0.0.2')]);
  });

  test.each([
    ['0.0.0.0/0', /too wide/],
    ['10.0.0.0/7', /too wide|must be/],
    ['127.0.0.1', /loopback/],
    ['169.254.169.254', /metadata/],
    ['168.63.129.16', /metadata/],
    ['ten', /must be/],
  ])('%s cannot be allowed', (text, reason) => expect(allowFault(text)).toMatch(reason));

  test.each(['10.0.0.0/8', '10.1.2.3', '169.254.0.0/16'])('%s can', (text) => expect(allowFault(text)).toBeUndefined());
});
