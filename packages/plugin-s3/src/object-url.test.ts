import { expect, test } from 'vitest';
import { encodeKey, objectUrl } from './object-url.js';

const aws = { region: 'ap-northeast-2', forcePathStyle: false };

test('the styles of the contract, to the letter', () => {
  const key = 'outputs/job-1/report.txt';
  expect(objectUrl({ ...aws, style: 'path' }, 'user-data', key)).toBe(
    'https://s3.ap-northeast-2.amazonaws.com/user-data/outputs/job-1/report.txt',
  );
  expect(objectUrl({ ...aws, style: 'virtual' }, 'user-data', key)).toBe(
    'https://user-data.s3.ap-northeast-2.amazonaws.com/outputs/job-1/report.txt',
  );
});

test.each([
  ['a b.txt', 'a%20b.txt'],
  ['a+b.txt', 'a%2Bb.txt'],
  ['100%.txt', '100%25.txt'],
  ['ü/漢字/🙂', '%C3%BC/%E6%BC%A2%E5%AD%97/%F0%9F%99%82'],
  [`?#&=;:@$,!'()*`, '%3F%23%26%3D%3B%3A%40%24%2C%21%27%28%29%2A'],
  ['a\\b"<>|^`{}', 'a%5Cb%22%3C%3E%7C%5E%60%7B%7D'],
  ['-._~', '-._~'],
])('the key %j is encoded so that a URL parser gives it back', (key, encoded) => {
  expect(encodeKey(key)).toBe(encoded);
  const url = new URL(objectUrl({ ...aws, style: 'virtual' }, 'b', key));
  expect(decodeURIComponent(url.pathname)).toBe(`/${key}`);
  expect(url.search + url.hash).toBe('');
});

test('with an endpoint the URL is below it; the host names the bucket only where that is possible', () => {
  const local = { region: 'eu-west-1', endpoint: 'http://localhost:9000/' };
  const url = (style: 'path' | 'virtual', forcePathStyle: boolean) =>
    objectUrl({ ...local, style, forcePathStyle }, 'data', 'a/b');
  expect(url('path', true)).toBe('http://localhost:9000/data/a/b');
  expect(url('virtual', true)).toBe('http://localhost:9000/data/a/b');
  expect(url('virtual', false)).toBe('http://data.localhost:9000/a/b');
  expect(objectUrl({ ...local, endpoint: 'https://gw/s3/', style: 'path', forcePathStyle: true }, 'd', 'k')).toBe(
    'https://gw/s3/d/k',
  );
});

test("China's regions have a domain of their own", () => {
  expect(objectUrl({ ...aws, region: 'cn-north-1', style: 'virtual' }, 'd', 'k')).toBe(
    'https://d.s3.cn-north-1.amazonaws.com.cn/k',
  );
});
