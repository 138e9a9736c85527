/** Addresses that a callback may have. */

import { AddressGuard } from '@nanogrid/core';
import { expect, test } from 'vitest';
import { readCallbackUrl } from './callback-url.js';

const read = (url: unknown, allow: string[] = []) =>
  readCallbackUrl(url, 'callback_url', new AddressGuard(allow), allow.length > 0);

test.each([
  'https://example.com/done?x=1',
  'https://example.com:8443/',
  'https://93.184.216.34/',
  'https://[2606:2800:220:1::1]/',
])('%s may be one', (url) => {
  expect(read(`${url}#part`)).toBe(url);
});

test.each<[unknown, RegExp]>([
  [7, /must be an address/],
  [null, /must be an address/],
  ['', /must be an address/],
  ['/done', /must be an address/],
  [`https://example.com/${'x'.repeat(2_048)}`, /at most 2048/],
  ['ftp://example.com/', /https/],
  ['javascript:alert(1)', /https/],
  ['http://example.com/', /must be an https/],
  ['https://user@example.com/', /user or a password/],
  ['https://:secret@example.com/', /user or a password/],
  ['https://127.0.0.1/', /leads to 127\.0\.0\.1/],
  ['https://127.1/', /leads to 127\.0\.0\.1/],
  ['https://2130706433/', /leads to 127\.0\.0\.1/],
  ['https://0x7f.0.0.1/', /leads to 127\.0\.0\.1/],
  ['https://[::1]/', /leads to ::1/],
  ['https://[::ffff:10.0.0.1]/', /leads to/],
  ['https://169.254.169.254/latest', /leads to/],
  ['https://localhost/', /leads to localhost/],
  ['https://a.localhost./', /leads to a\.localhost/],
])('%j may not', (url, reason) => {
  expect(() => read(url)).toThrow(reason);
  expect(() => read(url)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
});

test('what is allowed may be reached, without TLS as well; metadata addresses never', () => {
  const allow = ['127.0.0.0/8', '169.254.0.0/16'];
  for (const url of ['http://127.0.0.1:9/x', 'http://localhost/', 'http://intern.example/'])
    expect(read(url, allow)).toBe(url);
  expect(() => read('http://93.184.216.34/', allow)).toThrow(/https/);
  expect(() => read('http://10.0.0.1/', allow)).toThrow(/leads to/);
  expect(() => read('http://169.254.169.254/', allow)).toThrow(/leads to/);
});
