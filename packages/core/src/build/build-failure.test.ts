import { expect, test } from 'vitest';
import { type BuildEnd, firstErrorLine, judgeBuild } from './build-failure.js';

const end = (report: Partial<BuildEnd['report']>, rest: Partial<BuildEnd> = {}): BuildEnd => ({
  report: { exitCode: 0, signal: undefined, timedOut: false, oomKills: 0, spawnError: undefined, ...report },
  log: '',
  unusable: undefined,
  timeoutMs: 500,
  memoryMb: 64,
  ...rest,
});

test.each<[string, BuildEnd, string | undefined, RegExp]>([
  ['well', end({}), undefined, /^$/],
  ['with something that cannot be used', end({}, { unusable: 'it is a link' }), 'NG_BUILD_FAILED', /^it is a link$/],
  ['in time-out', end({ timedOut: true, signal: 'SIGKILL', exitCode: undefined }), 'NG_TIMEOUT', /build .* 500 ms/],
  ['out of memory', end({ exitCode: 1, oomKills: 1 }), 'NG_OUT_OF_MEMORY', /build .* 64 MiB/],
  ['well, with a child killed for want of memory', end({ oomKills: 1 }), 'NG_OUT_OF_MEMORY', /build/],
  ['by a signal', end({ exitCode: undefined, signal: 'SIGSEGV' }), 'NG_BUILD_FAILED', /by SIGSEGV/],
  ['without a command', end({ exitCode: undefined, spawnError: 'ENOENT' }), 'NG_BUILD_FAILED', /started: ENOENT/],
  ['without a word', end({ exitCode: 3 }), 'NG_BUILD_FAILED', /exit code 3$/],
  ['with a word', end({ exitCode: 3 }, { log: '\nmake: stop\n' }), 'NG_BUILD_FAILED', /does not build: make: stop$/],
])('a build that ends %s', (_, ended, code, message) => {
  const verdict = judgeBuild(ended);
  expect(verdict?.errorCode).toBe(code);
  expect(verdict?.errorMessage ?? '').toMatch(message);
});

test.each([
  [
    'In function f:\na.x:3:1: warning: unused\na.x:9:2: error: missing\na.x:9:2: note: there',
    'a.x:9:2: error: missing',
  ],
  ['# package\n./a.x:3:1: undefined: f\n./a.x:7:1: undefined: g', './a.x:3:1: undefined: f'],
  [
    '/usr/bin/ld: /tmp/a.o: in function f:\na.x:(.text+0x5): undefined reference\ncollect: error: 1',
    'a.x:(.text+0x5): undefined reference',
  ],
  ['\u001b[31mfatal error:\u001b[0m gone', 'fatal error: gone'],
  ['\n  first words  \nlast', 'first words'],
  ['', ''],
])('the line that tells most of %j', (log, line) => {
  expect(firstErrorLine(log)).toBe(line);
});

test('a line is cut, and no character in two', () => {
  const line = firstErrorLine(`${'x'.repeat(298)}😀😀`);
  expect(line).toBe(`${'x'.repeat(298)}…`);
});
