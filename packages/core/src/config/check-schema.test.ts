import { describe, expect, test } from 'vitest';
import { compileSchema } from './check-schema.js';
import { nearest } from './nearest.js';
import { formatProblem } from './problem.js';
import { looksSecret, redactText, showValue } from './show-value.js';

const tell = (schema: object, value: unknown) => compileSchema(schema)(value).map(formatProblem);

describe('compileSchema', () => {
  test('suggests the nearest of the allowed values', () => {
    expect(tell({ enum: ['path', 'virtual', 'presigned'] }, 'vitrual')).toEqual([
      '"vitrual" must be one of "path", "virtual", "presigned"; did you mean "virtual"?',
    ]);
  });

  test('lists the known keys where none is near', () => {
    const schema = { type: 'object', additionalProperties: false, properties: { region: {}, bucket: {} } };
    expect(tell(schema, { xyz: 1 })).toEqual(['xyz: 1 is given, but there is no such key, known here: region, bucket']);
  });

  test('writes indices in brackets', () => {
    const schema = { type: 'array', items: { type: 'object', properties: { 'a/b': { type: 'string' } } } };
    expect(tell(schema, [{}, { 'a/b': 1 }])).toEqual(['[1].a/b: 1 must be a string']);
  });

  test('says nothing of what is valid', () => {
    expect(tell({ type: ['integer', 'null'] }, null)).toEqual([]);
  });

  test('keeps a value under a telling key to itself', () => {
    const schema = { type: 'object', additionalProperties: false, properties: {} };
    expect(tell(schema, { password: 'hunter2' }).join()).not.toContain('hunter2');
    expect(tell({ type: 'string' }, { apiKey: 'hunter2' }).join()).not.toContain('hunter2');
  });
});

describe('nearest', () => {
  test.each([
    ['slotz', 'slots'],
    ['SLOTS', 'slots'],
    ['memorymb', 'memoryMb'],
    ['drain', undefined],
    ['x', undefined],
  ])('%s', (word, expected) => {
    expect(nearest(word, ['slots', 'memoryMb', 'drainTimeoutMs'])).toBe(expected);
  });
});

describe('what is shown', () => {
  test.each([
    ['redis://user:p@ss@host/0', 'redis://***@host/0'],
    ['https://x/?a=1&X-Amz-Signature=abc&b=2', 'https://x/?a=1&X-Amz-Signature=***&b=2'],
    ['http://host:80/a@b', 'http://host:80/a@b'],
    ['me@example.org', 'me@example.org'],
  ])('%s is shown as %s', (text, shown) => {
    expect(redactText(text)).toBe(shown);
  });

  test.each([
    'password',
    'DB_PASSWORD',
    'clientSecret',
    'token',
    'authTokens',
    'apiKey',
    'api-key',
    'accessKeyId',
    'keys',
  ])('%s looks secret', (key) => {
    expect(looksSecret(key)).toBe(true);
  });

  test.each(['keyPrefix', 'tokenizer', 'maxJobs', 'bucket', 'passive'])('%s does not', (key) => {
    expect(looksSecret(key)).toBe(false);
  });

  test('is short and on one line', () => {
    expect(showValue('a\nb'.repeat(100))).toHaveLength(80);
    expect(showValue('a\nb')).toBe('"a\\nb"');
  });

  test('is something for any value', () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    expect([circular, 1n, Symbol('s'), undefined, Number.NaN, function named() {}].map(showValue)).toEqual([
      '[object]',
      '1',
      'Symbol(s)',
      'undefined',
      'NaN',
      '[function named]',
    ]);
  });
});
