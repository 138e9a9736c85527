import { describe, expect, test } from 'vitest';
import { readUsageFiles, type UsageCaps } from './usage-file.js';

const caps: UsageCaps = { maxBytes: 2 ** 20, maxLines: 1_000, maxModels: 3, maxTokensPerCall: 1_000_000 };
const CALL = '{"model":"m","prompt_eval_count":10,"eval_count":5}';
const ONE = { promptTokens: 10, completionTokens: 5, totalTokens: 15, calls: 1 };
const ONE_CALL = { ...ONE, byModel: { m: ONE } };

function read(content: string | Uint8Array, changed: Partial<UsageCaps> = {}) {
  return readUsageFiles([typeof content === 'string' ? Buffer.from(content) : content], { ...caps, ...changed });
}

describe('calls', () => {
  test('of Ollama and OpenAI are added up, in total and by model', () => {
    const lines = [
      '{"model":"llama3:8b","prompt_eval_count":26,"eval_count":298,"context":[1,2,3],"done":true}',
      '{"model":"gpt-4o","usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21},"choices":[]}',
      '',
      '{"model":"llama3:8b","prompt_eval_count":4,"eval_count":2}\r',
    ];
    expect(read(lines.join('\n'))).toEqual({
      usage: {
        promptTokens: 39,
        completionTokens: 312,
        totalTokens: 351,
        calls: 3,
        byModel: {
          'llama3:8b': { promptTokens: 30, completionTokens: 300, totalTokens: 330, calls: 2 },
          'gpt-4o': { promptTokens: 9, completionTokens: 12, totalTokens: 21, calls: 1 },
        },
      },
      ignoredLines: 0,
      clampedCalls: 0,
      cut: false,
    });
  });

  test.each([
    ['only a prompt', '{"model":"m","prompt_eval_count":7}', 7, 0],
    ['only a completion', '{"model":"m","eval_count":7}', 0, 7],
    ['a null', '{"model":"m","usage":{"prompt_tokens":7,"completion_tokens":null}}', 7, 0],
    ['both forms', '{"model":"m","eval_count":1,"usage":{"prompt_tokens":3,"completion_tokens":4}}', 3, 4],
    ['zero', '{"model":"m","eval_count":0}', 0, 0],
  ])('with %s count', (_name, line, promptTokens, completionTokens) => {
    expect(read(line)).toMatchObject({ usage: { promptTokens, completionTokens, calls: 1 }, ignoredLines: 0 });
  });

  test('are none in an empty file', () => {
    expect(read('')).toEqual({ usage: undefined, ignoredLines: 0, clampedCalls: 0, cut: false });
  });
});

describe('a line is ignored and counted, and the others are not lost:', () => {
  const line = (counts: string) => `{"model":"evil",${counts}}`;
  test.each<[string, string | Buffer]>([
    ['negative', line('"eval_count":-1')],
    ['one of two negative', line('"prompt_eval_count":5,"eval_count":-1')],
    ['a fraction', line('"eval_count":1.5')],
    ['a string', line('"eval_count":"12"')],
    ['NaN', line('"eval_count":NaN')],
    ['infinite', line('"eval_count":1e999')],
    ['an object', line('"eval_count":{"valueOf":1}')],
    ['true', line('"usage":{"prompt_tokens":true}')],
    ['no count', line('"done":true')],
    ['counts inherited', '{"__proto__":{"eval_count":1,"model":"m"}}'],
    ['usage of a list', line('"usage":[1,2]')],
    ['an array', '[1,2]'],
    ['null', 'null'],
    ['no JSON', 'not json'],
    ['half JSON', '{"model":"evil","eval_count":1'],
    ['deep', `${'['.repeat(50_000)}${']'.repeat(50_000)}`],
    ['deep in a count', line(`"eval_count":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`)],
    ['too long', line(`"eval_count":1,"pad":"${'x'.repeat(300_000)}"`)],
    [
      'invalid UTF-8',
      Buffer.concat([Buffer.from('{"eval_count":1,"model":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]),
    ],
    ['NUL', '\0\0\0'],
  ])('%s', (_name, hostile) => {
    const content = Buffer.concat([Buffer.from(`${CALL}\n`), Buffer.from(hostile), Buffer.from('\n')]);
    expect(read(content)).toEqual({ usage: ONE_CALL, ignoredLines: 1, clampedCalls: 0, cut: false });
  });
});

describe('absurd counts', () => {
  test.each(['1e308', '9007199254740993', '1000001'])('%s is cut to the cap, and counted', (count) => {
    expect(read(`{"model":"m","prompt_eval_count":${count},"eval_count":1}`)).toMatchObject({
      usage: { promptTokens: 1_000_000, completionTokens: 1, totalTokens: 1_000_001, calls: 1 },
      ignoredLines: 0,
      clampedCalls: 1,
    });
  });

  test('the sum of the most that can be is exact', () => {
    const most = { maxTokensPerCall: 1_000_000_000, maxLines: 20_000, maxBytes: 2 ** 24 };
    const { usage } = read('{"prompt_eval_count":1e300,"eval_count":1e300}\n'.repeat(20_000), most);
    expect(usage?.totalTokens).toBe(4e13);
  });
});

describe('models', () => {
  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('%s is a name like any other', (model) => {
    const { usage } = read(`${CALL.replace('"m"', `"${model}"`)}\n${CALL}`);
    expect(Object.entries(usage?.byModel ?? {})).toEqual([
      [model, ONE],
      ['m', ONE],
    ]);
    expect(Object.getPrototypeOf(usage?.byModel)).toBe(Object.prototype);
    expect({}).not.toHaveProperty('calls');
  });

  test.each([
    ['missing', '{"eval_count":1}', 'unknown'],
    ['a number', '{"model":7,"eval_count":1}', 'unknown'],
    ['blank', '{"model":"  ","eval_count":1}', 'unknown'],
    ['with control characters', '{"model":"a\\nb\\u001b[31m","eval_count":1}', 'a\ufffdb\ufffd[31m'],
    ['with half a character', '{"model":"a\\ud800","eval_count":1}', 'a\ufffd'],
    ['long', `{"model":"${'x'.repeat(200_000)}","eval_count":1}`, 'x'.repeat(128)],
    ['cut within a character', `{"model":"${'x'.repeat(127)}😀","eval_count":1}`, `${'x'.repeat(127)}\ufffd`],
  ])('%s', (_name, line, model) => {
    expect(Object.keys(read(line).usage?.byModel ?? {})).toEqual([model]);
  });

  test('without end are counted as other', () => {
    const lines = Array.from({ length: 500 }, (_, place) => CALL.replace('"m"', `"m${place}"`));
    const { usage } = read(lines.join('\n'));
    expect(Object.keys(usage?.byModel ?? {})).toEqual(['m0', 'm1', 'm2', 'other']);
    expect(usage?.byModel.other?.calls).toBe(497);
    expect(usage).toMatchObject({ calls: 500, totalTokens: 7_500 });
  });
});

describe('a file that is too long', () => {
  test('in bytes: half a line at the end means nothing', () => {
    // The cap falls between "eval_count":5 and the digits after it.
    const content = `${CALL}\n{"eval_count":5}0000`;
    const maxBytes = CALL.length + 1 + '{"eval_count":5}'.length;
    expect(read(content.slice(0, maxBytes + 1), { maxBytes })).toEqual({
      usage: ONE_CALL,
      ignoredLines: 0,
      clampedCalls: 0,
      cut: true,
    });
  });

  test('of one line alone holds nothing', () => {
    const content = Buffer.alloc(1_001, 'x');
    expect(read(content, { maxBytes: 1_000 })).toMatchObject({ usage: undefined, ignoredLines: 0, cut: true });
  });

  test('in lines: the first ones count', () => {
    const content = `${CALL}\n`.repeat(11);
    expect(read(content, { maxLines: 10 })).toMatchObject({ usage: { calls: 10 }, cut: true });
    expect(read(content, { maxLines: 11 })).toMatchObject({ usage: { calls: 11 }, cut: false });
  });

  test('in blank lines: they count as lines', () => {
    expect(read(`${'\n'.repeat(10)}${CALL}`, { maxLines: 10 })).toMatchObject({ usage: undefined, cut: true });
  });

  test('by nothing: exactly as long as the cap is whole', () => {
    expect(read(CALL, { maxBytes: CALL.length })).toMatchObject({ usage: ONE_CALL, cut: false });
  });
});
