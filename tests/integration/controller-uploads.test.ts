/** Uploads to the HTTP front that it must refuse: the right status, the entry or field named, and nothing left on disk. No worker is needed. */

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { node } from '@nanogrid/runtime-node';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestController, type TestController } from '../support/test-controller.js';
import { zip } from '../support/zip.js';

const runtimes = [python(), node()];
let dataDir: string;
let api: TestController;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'nanogrid-controller-'));
  // A place of its own for what uploads leave: another controller of the machine may be taking one.
  vi.stubEnv('TMPDIR', await mkdtemp(join(dataDir, 'temporary-')));
  api = await startTestController({ dataDir, runtimes });
});

afterAll(async () => {
  await api?.close();
  vi.unstubAllEnvs();
  await rm(dataDir, { recursive: true, force: true });
});

const FIELDS = { function_name: 'f', runtime: 'python' };
const SOURCE = 'print(1)';

/** A refusal may be answered a moment before what came of the upload is gone. */
const expectNothingLeft = () =>
  expect.poll(async () => (await readdir(tmpdir())).filter((name) => name.startsWith('nanogrid-upload-'))).toEqual([]);

describe('an upload', () => {
  test.each<[string, Record<string, string>, string | Buffer, string, number, RegExp]>([
    ['without a name', { runtime: 'python' }, SOURCE, 'main.py', 400, /"function_name" is missing/],
    ['without a runtime', { function_name: 'f' }, SOURCE, 'main.py', 400, /"runtime" is missing/],
    ['of an unknown runtime', { ...FIELDS, runtime: 'pyhton' }, SOURCE, 'main.py', 400, /did you mean "python"/],
    ['with a hostile name', { ...FIELDS, function_name: '../x' }, SOURCE, 'main.py', 400, /"function_name" must be/],
    [
      'with a control character in its name',
      { ...FIELDS, function_name: 'a\u0007b' },
      SOURCE,
      'main.py',
      400,
      /must be/,
    ],
    ['with an unknown field', { ...FIELDS, colour: 'red' }, SOURCE, 'main.py', 400, /no field "colour"/],
    ['with a hostile handler', { ...FIELDS, handler: '../main.run' }, SOURCE, 'main.py', 400, /handler/],
    ['with a handler of another file', { ...FIELDS, handler: 'a.run' }, 'zip', 'code.zip', 400, /needs a file a\.\*/],
    ['with a time limit of 0', { ...FIELDS, timeout: '0' }, SOURCE, 'main.py', 400, /"timeout"/],
    ['with a negative time limit', { ...FIELDS, timeout: '-1' }, SOURCE, 'main.py', 400, /"timeout" must be a number/],
    ['with a time limit of NaN', { ...FIELDS, timeout: 'NaN' }, SOURCE, 'main.py', 400, /"timeout" must be a number/],
    ['with too long a time limit', { ...FIELDS, timeout: '901' }, SOURCE, 'main.py', 400, /"timeout" is 901/],
    ['with too much memory', { ...FIELDS, memory_mb: '3009' }, SOURCE, 'main.py', 400, /"memory_mb" is 3009/],
    ['with half a MiB', { ...FIELDS, memory_mb: '0.5' }, SOURCE, 'main.py', 400, /"memory_mb"/],
    ['with variables that are no JSON', { ...FIELDS, env: '{' }, SOURCE, 'main.py', 400, /"env" is not JSON/],
    [
      'with a variable of ours',
      { ...FIELDS, env: '{"JOB_ID": "x"}' },
      SOURCE,
      'main.py',
      400,
      /JOB_ID, which NanoGrid/,
    ],
    ['of another language’s source', FIELDS, SOURCE, 'index.js', 400, /neither a \.zip nor a source file of python/],
    ['of something without a name', FIELDS, SOURCE, 'x', 400, /neither a \.zip/],
    ['of a ZIP that is none', FIELDS, 'PK not a zip', 'code.zip', 400, /it is no ZIP file/],
    ['without an entry point', FIELDS, 'other', 'code.zip', 400, /no entry point of python at its top: main\.py/],
    [
      'for a function that is not there',
      { ...FIELDS, function_id: 'fn-x' },
      SOURCE,
      'main.py',
      404,
      /no function fn-x/,
    ],
  ])('%s: %s', async (_what, fields, content, name, status, message) => {
    let file = content;
    if (content === 'zip') file = await zip({ 'main.py': SOURCE });
    if (content === 'other') file = await zip({ 'lib/main.py': SOURCE });
    const found = await api.upload(fields, file, name);
    expect(found.answer.error.message).toMatch(message);
    expect(found.status).toBe(status);
    await expectNothingLeft();
  });

  test('of an archive that leads outside is refused with the entry named', async () => {
    const archive = await zip({ 'aa/x': 'y', 'main.py': SOURCE });
    const hostile = Buffer.from(archive.toString('latin1').replaceAll('aa/x', '../x'), 'latin1');
    const { status, answer } = await api.upload(FIELDS, hostile);
    expect(answer.error).toMatchObject({ code: 'NG_ARCHIVE_UNSAFE', message: expect.stringContaining('../x') });
    expect(status).toBe(400);
  });

  test('that is larger than an archive may be is refused while it comes, and its file goes', async () => {
    const small = await mkdtemp(join(tmpdir(), 'nanogrid-controller-'));
    const own = await startTestController({ dataDir: small, runtimes, code: { limits: { maxArchiveBytes: 10_000 } } });
    try {
      const { status, answer } = await own.upload(FIELDS, 'x'.repeat(10_001), 'main.py');
      expect(answer.error).toMatchObject({ code: 'TOO_LARGE', message: 'The file is larger than 10000 bytes.' });
      expect(status).toBe(413);
      await expectNothingLeft();
    } finally {
      await own.close();
      await rm(small, { recursive: true });
    }
  });

  test('that is no multipart', async () => {
    expect(await api.call('POST', '/upload', {})).toMatchObject({ status: 415 });
  });

  test.each([
    [
      'cut off',
      'multipart/form-data; boundary=b',
      '--b\r\nContent-Disposition: form-data; name="file"; filename="a.py"\r\n\r\nprint(',
    ],
    ['without a boundary', 'multipart/form-data', 'x'],
    [
      'without a file',
      'multipart/form-data; boundary=b',
      '--b\r\nContent-Disposition: form-data; name="runtime"\r\n\r\npython\r\n--b--\r\n',
    ],
  ])('%s', async (_what, type, body) => {
    const { status, answer } = await api.call('POST', '/upload', body, { 'content-type': type });
    expect(answer.error.code).toBe('BAD_REQUEST');
    expect(status).toBe(400);
    await expectNothingLeft();
  });

  test.each(['../../etc/passwd.py', '..\\..\\x.py', 'a\u0000b.py', '.py', `${'x'.repeat(2_000)}.py`])(
    'with the file name %j is stored under a name of ours',
    async (name) => {
      const body = `--b\r\nContent-Disposition: form-data; name="function_name"\r\n\r\nf\r\n--b\r\nContent-Disposition: form-data; name="runtime"\r\n\r\npython\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\n\r\nprint(1)\r\n--b--\r\n`;
      const { status, answer } = await api.call('POST', '/upload', body, {
        'content-type': 'multipart/form-data; boundary=b',
      });
      if (status === 201) expect(answer.s3_key).toBe(`functions/${answer.function_id}/code.zip`);
      else expect(status).toBe(400);
      await expectNothingLeft();
    },
  );
});
