import { describe, expect, test } from 'vitest';
import { type DecodedMessage, decodeMessage } from './decode-message.js';

const MIB = 1024 * 1024;
const config = {
  job: {
    memoryMb: 256,
    timeoutMs: 300_000,
    maxMemoryMb: 3008,
    maxTimeoutMs: 900_000,
    graceMs: 200,
    maxLogBytes: MIB,
    maxInputBytes: 6 * MIB,
  },
  code: {
    bucket: 'code',
    allowedBuckets: ['code', 'other'],
    limits: {
      maxArchiveBytes: 1,
      maxTotalBytes: 1,
      maxFileBytes: 1,
      maxEntries: 1,
      maxRatio: 1,
      maxPathBytes: 1,
      maxDepth: 1,
    },
    cacheBytes: 1,
  },
};
const delivery = { attempt: 2, lastAttempt: true, sentAt: 1_700_000_000_000 };

const decodeText = (body: string): DecodedMessage => decodeMessage(body, delivery, config);
const decode = (message: unknown): DecodedMessage => decodeText(JSON.stringify(message));

function accepted(message: unknown) {
  const decoded = decode(message);
  if (!decoded.ok) throw decoded.error;
  return decoded;
}
function refused(message: unknown) {
  const decoded = decode(message);
  if (decoded.ok) throw new Error('was accepted');
  return decoded;
}

const camel = { requestId: 'r-1', runtime: 'shell', s3Key: 'f/code.zip' };
const snake = { job_id: 'r-1', runtime: 'shell2.x', s3_key: 'f/code.zip' };

test('a tenant is taken from either dialect; what is no name of one means nothing', () => {
  for (const message of [camel, snake]) {
    expect(accepted({ ...message, tenant: 'acme.eu' })).toMatchObject({
      job: { tenant: 'acme.eu' },
      unknownFields: [],
    });
    for (const tenant of ['', 'a b', 7, { name: 'acme' }, null, 'x'.repeat(129)]) {
      expect(accepted({ ...message, tenant }).job).not.toHaveProperty('tenant');
    }
  }
});

describe('the two dialects', () => {
  test('camel, with everything', () => {
    const more = { functionId: 'f', handler: 'main.handler', s3Bucket: 'other', memoryMb: 512, timeoutMs: 1500 };
    expect(accepted({ ...camel, ...more, input: { a: [1, 'é', null] } })).toEqual({
      ok: true,
      job: {
        id: 'r-1',
        dialect: 'camel',
        functionId: 'f',
        runtime: 'shell',
        handler: 'main.handler',
        code: { bucket: 'other', key: 'f/code.zip' },
        memoryMb: 512,
        timeoutMs: 1500,
        input: { a: [1, 'é', null] },
        ...delivery,
      },
      inputJson: '{"a":[1,"é",null]}',
      unknownFields: [],
    });
  });

  test('snake, with everything: its time limit is in seconds', () => {
    const more = { function_id: 'f', handler: 'src/main.handler', s3_bucket: 'code', memory_mb: 128, timeout: 2.5 };
    expect(accepted({ ...snake, ...more, payload: 'text' })).toMatchObject({
      job: {
        dialect: 'snake',
        functionId: 'f',
        runtime: 'shell2.x',
        handler: 'src/main.handler',
        code: { bucket: 'code', key: 'f/code.zip' },
        memoryMb: 128,
        timeoutMs: 2500,
        input: 'text',
      },
      inputJson: '"text"',
    });
  });

  test.each([camel, snake])('with the required fields only', (message) => {
    const { job, inputJson } = accepted(message);
    expect(job).toMatchObject({ functionId: undefined, handler: undefined, memoryMb: undefined, timeoutMs: undefined });
    expect(job.code.bucket).toBeUndefined();
    expect([job.input, inputJson]).toEqual([null, 'null']);
  });

  test('the request and the trace that a job is part of, where they can be read', () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const { job, unknownFields } = accepted({ ...snake, traceparent, correlationId: 'req-1' });
    expect(job).toMatchObject({ traceparent, correlationId: 'req-1' });
    expect(unknownFields).toEqual([]);
    const { job: other } = accepted({ ...camel, traceparent: 'x', correlationId: 'a b' });
    expect(other).not.toHaveProperty('traceparent');
    expect(other).not.toHaveProperty('correlationId');
  });

  test('a field that is null counts as absent', () => {
    const nothing = { functionId: null, handler: null, s3Bucket: null, memoryMb: null, timeoutMs: null, input: null };
    expect(accepted({ ...camel, ...nothing, job_id: null }).job).toEqual(accepted(camel).job);
  });

  test('fields of the other dialect and others mean nothing and are told', () => {
    const { job, unknownFields } = accepted({ ...camel, memory_mb: 5, payload: 1, extra: {}, ['x'.repeat(100)]: 1 });
    expect(unknownFields).toEqual(['memory_mb', 'payload', 'extra', `${'x'.repeat(64)}…`]);
    expect([job.memoryMb, job.input]).toEqual([undefined, null]);
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`f${i}`, i]));
    expect(accepted({ ...camel, ...many }).unknownFields.length).toBe(32);
  });
});

describe('a message without a readable id has no one to answer', () => {
  test.each([
    ['an empty body', ''],
    ['text', 'hello'],
    ['NaN', '{"requestId":"a","timeoutMs":NaN}'],
    ['a list', '[]'],
    ['null', 'null'],
    ['a number', '1'],
    ['no id', '{"runtime":"shell"}'],
    ['both ids', '{"requestId":"a","job_id":"a"}'],
    ['an id that is no text', '{"requestId":1}'],
    ['an empty id', '{"requestId":""}'],
    ['an id that climbs', '{"requestId":"../a"}'],
    ['an id with a slash', '{"job_id":"a/b"}'],
    ['an id that begins with a dot', '{"job_id":".a"}'],
    ['an id with a line break at its end', '{"requestId":"a\\n"}'],
    ['a long id', JSON.stringify({ requestId: 'a'.repeat(129) })],
    ['an id in the prototype only', '{"__proto__":{"requestId":"a"}}'],
    ['10,000 levels', `${'['.repeat(10_000)}${']'.repeat(10_000)}`],
    ['a megabyte that ends too early', `{"requestId":"a","input":"${'x'.repeat(MIB)}`],
  ])('%s', (_, body) => {
    const decoded = decodeText(body);
    expect(decoded).toMatchObject({ ok: false, error: { code: 'NG_MESSAGE_INVALID' } });
    expect(decoded).not.toHaveProperty('id');
    expect(decoded).not.toHaveProperty('dialect');
  });

  test('an id of 128 characters is the longest', () => {
    expect(accepted({ ...camel, requestId: `a.${'_-'.repeat(63)}` }).ok).toBe(true);
  });
});

describe('a faulty field is named, with its value and the rule', () => {
  const wrong: [string, unknown][] = [
    ['functionId', 'a b'],
    ['functionId', 7],
    ['runtime', undefined],
    ['runtime', ''],
    ['runtime', 5],
    ['runtime', 'x'.repeat(65)],
    ['runtime', 'a\nb'],
    ['handler', 'main'],
    ['handler', ''],
    ['handler', '.handler'],
    ['handler', 'main.'],
    ['handler', '../main.handler'],
    ['handler', 'a/../main.handler'],
    ['handler', '/main.handler'],
    ['handler', 'a//main.handler'],
    ['handler', 'main.hand ler'],
    ['handler', 'main.a;b'],
    ['handler', {}],
    ['s3Key', undefined],
    ['s3Key', ''],
    ['s3Key', '/a'],
    ['s3Key', 'a/../b'],
    ['s3Key', 'a\0'],
    ['s3Key', 'a\u0085'],
    ['s3Key', 'a\ud800'],
    ['s3Key', 'é'.repeat(513)],
    ['s3Key', ['a']],
    ['s3Bucket', ''],
    ['s3Bucket', 5],
    ...[0, -5, 1.5, 3009, 2 ** 53, '256', true, [256]].map((value): [string, unknown] => ['memoryMb', value]),
    ...[0, -1, 0.5, 900_001, 2 ** 53, '1000', {}].map((value): [string, unknown] => ['timeoutMs', value]),
  ];
  test.each(wrong)('%s %j', (field, value) => {
    const decoded = refused({ functionId: 'fn', ...camel, [field]: value });
    expect(decoded).toMatchObject({ id: 'r-1', dialect: 'camel', error: { code: 'NG_MESSAGE_INVALID' } });
    expect(decoded.error.message).toContain(`"${field}"`);
    expect(decoded.error.message.length).toBeLessThan(300);
    expect(decoded.functionId).toBe(field === 'functionId' ? undefined : 'fn');
    expect(decoded.runtime).toBe(field === 'runtime' ? undefined : 'shell');
  });

  test.each([0, -1, 900.5, 1e300, '5', true])('timeout %j in seconds', (timeout) => {
    expect(refused({ ...snake, timeout })).toMatchObject({ id: 'r-1', dialect: 'snake' });
    expect(refused({ ...snake, timeout }).error.message).toContain('"timeout"');
  });

  test('1e999, which JSON reads as infinite', () => {
    const decoded = decodeText('{"requestId":"r","runtime":"s","s3Key":"k","memoryMb":1e999}');
    expect(decoded).toMatchObject({ ok: false, id: 'r' });
  });

  test('the smallest and largest limits are accepted', () => {
    expect(accepted({ ...camel, memoryMb: 1, timeoutMs: 1 }).job).toMatchObject({ memoryMb: 1, timeoutMs: 1 });
    expect(accepted({ ...camel, memoryMb: 3008, timeoutMs: 900_000 }).ok).toBe(true);
    expect(accepted({ ...snake, timeout: 900 }).job.timeoutMs).toBe(900_000);
    expect(accepted({ ...snake, timeout: 0.0001 }).job.timeoutMs).toBe(1);
  });

  test('a message of two faults still tells both of who asked', () => {
    expect(refused({ ...snake, runtime: 5, function_id: 'fn', s3_key: undefined })).toMatchObject({ functionId: 'fn' });
  });

  test('a bucket that is not allowed has a code of its own', () => {
    const decoded = refused({ ...camel, s3Bucket: 'secrets' });
    expect(decoded).toMatchObject({ id: 'r-1', error: { code: 'NG_BUCKET_NOT_ALLOWED' } });
    expect(decoded.error.message).toContain('"secrets"');
  });
});

describe('the trace', () => {
  const [own, beside] = ['a', 'b'].map((digit) => `00-${digit.repeat(32)}-${'c'.repeat(16)}-01`) as [string, string];
  const decoded = (message: object, traceparent?: string) => {
    const found = decodeMessage(JSON.stringify(message), { ...delivery, traceparent }, config);
    return found.ok ? found.job.traceparent : found.error;
  };

  test('comes from the body, else from beside it', () => {
    expect(decoded({ ...camel, traceparent: own }, beside)).toBe(own);
    expect(decoded({ ...snake, traceparent: 'odd' }, beside)).toBe(beside);
    expect(decoded(camel, beside)).toBe(beside);
  });

  test.each(['', 'odd', `00-${'0'.repeat(32)}-${'c'.repeat(16)}-01`, `${own}\n`])('%j is none', (traceparent) => {
    expect(decoded({ ...camel, traceparent }, traceparent)).toBeUndefined();
  });
});

describe('the input', () => {
  test('keeps __proto__, constructor and prototype as data', () => {
    const body =
      '{"requestId":"r","runtime":"s","s3Key":"k","input":{"__proto__":{"x":1},"constructor":2,"prototype":3}}';
    const decoded = decodeText(body);
    if (!decoded.ok) throw decoded.error;
    expect(Object.keys(decoded.job.input as object)).toEqual(['__proto__', 'constructor', 'prototype']);
    expect(decoded.inputJson).toBe('{"__proto__":{"x":1},"constructor":2,"prototype":3}');
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  test('keeps every digit in its text', () => {
    const decoded = decodeText('{"job_id":"r","runtime":"s","s3_key":"k","payload":{"id":12345678901234567890}}');
    expect(decoded).toMatchObject({ ok: true, inputJson: '{"id":12345678901234567890}' });
  });

  test.each([0, '', false, []])('%j is an input', (input) => {
    expect(accepted({ ...camel, input })).toMatchObject({ job: { input }, inputJson: JSON.stringify(input) });
  });

  test('of a megabyte arrives whole, of 10,000 levels too', () => {
    const text = 'é'.repeat(MIB / 2);
    expect(accepted({ ...camel, input: text }).inputJson).toBe(JSON.stringify(text));
    const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;
    const decoded = decodeText(`{"requestId":"r","runtime":"s","s3Key":"k","input":${deep}}`);
    expect(decoded).toMatchObject({ ok: true, inputJson: deep });
  });

  test('above the cap, in bytes, is refused by name', () => {
    const decoded = refused({ ...camel, input: 'é'.repeat(3 * MIB) });
    expect(decoded).toMatchObject({ id: 'r-1', error: { code: 'NG_MESSAGE_INVALID' } });
    expect(decoded.error.message).toContain('"input"');
  });
});
