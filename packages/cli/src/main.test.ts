import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { main } from './main.js';
import { createTestIo } from './test-io.test.util.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nanogrid-cli-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function call(argv: string[], options: Parameters<typeof createTestIo>[0] = {}) {
  const io = createTestIo({ cwd: folder, ...options });
  const exitCode = await main(argv, io);
  await turn();
  return { exitCode, out: io.out(), err: io.err() };
}

describe('help', () => {
  test('names the commands, exit codes and variables, on standard output', async () => {
    const { exitCode, out, err } = await call(['--help']);
    expect(exitCode).toBe(0);
    expect(err).toBe('');
    for (const word of [
      'run',
      'tune',
      'dev',
      'start',
      'deploy',
      'invoke',
      'status',
      'logs',
      'cancel',
      'functions',
      'profile',
      'keys',
      'submit',
      'result',
      'queue',
      'images',
      'top',
      'doctor',
      'config',
      'create',
      'Examples:',
      '124',
      'NANOGRID_ENV',
    ]) {
      expect(out).toContain(word);
    }
  });

  test.each([
    ['run'],
    ['tune'],
    ['dev'],
    ['start'],
    ['deploy'],
    ['invoke'],
    ['status'],
    ['logs'],
    ['cancel'],
    ['functions', 'ls'],
    ['functions', 'rm'],
    ['profile', 'set'],
    ['profile', 'ls'],
    ['profile', 'rm'],
    ['keys', 'create'],
    ['submit'],
    ['result'],
    ['queue', 'inspect'],
    ['queue', 'redrive'],
    ['queue', 'purge'],
    ['images', 'build'],
    ['images', 'ls'],
    ['top'],
    ['doctor'],
    ['config', 'check'],
    ['config', 'print'],
    ['config', 'schema'],
    ['create', 'runtime'],
    ['create', 'plugin'],
  ])('of %s %s has examples, exit codes and the options of all commands', async (...words) => {
    const { exitCode, out } = await call([...words.filter(Boolean), '--help']);
    expect(exitCode).toBe(0);
    for (const part of ['Examples:', 'Exit codes:', 'Environment variables:', '--json', '--config', '--env']) {
      expect(out).toContain(part);
    }
  });

  test('is shown where a command is missing, which is wrong usage', async () => {
    for (const argv of [[], ['images'], ['config'], ['create'], ['functions'], ['profile'], ['keys']]) {
      const { exitCode, out, err } = await call(argv);
      expect(exitCode).toBe(2);
      expect(out).toBe('');
      expect(err).toContain('Usage:');
    }
  });
});

test('--version prints the version', async () => {
  const { exitCode, out } = await call(['--version']);
  expect(exitCode).toBe(0);
  expect(out).toMatch(/^\d+\.\d+\.\d+\n$/);
});

describe('wrong usage exits with 2, one sentence and a hint:', () => {
  test.each([
    [['rum'], "Unknown command 'rum'; did you mean run?"],
    [['images', 'sl'], "Unknown command 'sl'; did you mean ls?"],
    [['run', 'x.py', '--inptu', '1'], "Unknown option '--inptu'; did you mean --input?"],
    [['run'], "Missing required argument 'path'."],
    [['run', 'x.py', '--timeout', '1.5'], 'whole number'],
    [['run', 'x.py', '--timeout', '0'], 'whole number'],
    [['run', 'x.py', '--memory', '-1'], 'whole number'],
    [['run', 'x.py', '--handler', 'main'], 'FILE.FUNCTION'],
    [['start', '--log-level', 'loud'], 'Allowed choices'],
    [['result', '../x'], 'letters, digits'],
    [['submit'], 'Give either a PATH or a --key.'],
    [['submit', 'a', '--key', 'b'], 'Give either a PATH or a --key.'],
    [['run', 'nowhere.py'], 'There is nothing at nowhere.py.'],
    [['run', '.', '--input', '{'], 'The input is no JSON'],
    [['run', '.', '--input', '@gone.json'], 'The input file gone.json cannot be read'],
    [['run', '.', '--runtime', 'pyhton'], 'The runtime "pyhton" is unknown'],
    [['tune', 'nowhere.py'], 'There is nothing at nowhere.py.'],
    [['tune', '.', '--memory', '64,,128'], 'whole number'],
    [['tune', '.', '--cpus', '0.5,fast'], 'a number from 0.01 on'],
    [['tune', '.', '--cpus', '0'], 'a number from 0.01 on'],
    [['tune', '.', '--price', '-1'], 'a number from 0 on'],
    [['tune', '.', '--for', 'fun'], 'Allowed choices'],
    [['tune', '.', '--input', '1', '--input-file', 'x'], 'The input is given twice.'],
    [['tune', '.', '--input-file', 'gone.json'], 'The input file gone.json cannot be read'],
    [['tune', '.', '--svg', 'gone/x.svg'], 'The chart cannot be written'],
    [['tune', '.', '--cpus', '1', '--server', 'http://127.0.0.1:1'], 'cannot be chosen from here'],
    [['config', 'check', '--config', 'gone.json'], 'does not exist'],
    [['config', 'check', '--env', 'moon'], 'The environment "moon" is not in the configuration'],
  ])('%j', async (argv, sentence) => {
    const { exitCode, out, err } = await call(argv);
    expect(err).toContain(sentence);
    expect(err).toMatch(/^Error: .*\nHint: .*\nCode: NG_/);
    expect(err).not.toMatch(/\n\s+at /);
    expect(out).toBe('');
    expect(exitCode).toBe(2);
  });

  test('with --json the same is a document on standard output', async () => {
    for (const argv of [
      ['--json', 'rum'],
      ['run', 'nowhere.py', '--json'],
      ['run', '--json', '--nope'],
    ]) {
      const { exitCode, out } = await call(argv);
      expect(exitCode).toBe(2);
      expect(JSON.parse(out)).toEqual({
        error: { code: 'NG_USAGE', message: expect.any(String), hint: expect.any(String) },
      });
    }
  });

  test('with --verbose or NANOGRID_DEBUG=1 the stack follows', async () => {
    expect((await call(['run', 'nowhere.py', '--verbose'])).err).toMatch(/\n\s+at /);
    expect((await call(['run', 'nowhere.py'], { env: { NANOGRID_DEBUG: '1' } })).err).toMatch(/\n\s+at /);
  });
});

describe('config', () => {
  const file = {
    worker: { slots: 3 },
    aiEndpoint: 'http://user:hush@ai.example/v1',
    environments: { production: { worker: { slots: 9 } } },
  };

  beforeEach(() => writeFile(join(folder, 'nanogrid.config.json'), JSON.stringify(file)));

  test('check says that it is valid, and what it found', async () => {
    const { exitCode, out } = await call(['config', 'check', '--json']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      valid: true,
      file: join(folder, 'nanogrid.config.json'),
      environments: ['production'],
      runtimes: ['python', 'node', 'cpp', 'go'],
      plugins: ['@nanogrid/plugin-local'],
    });
  });

  test('print shows the chosen environment without secrets', async () => {
    const { out } = await call(['config', 'print', '--env', 'production']);
    expect(JSON.parse(out)).toMatchObject({ environment: 'production', worker: { slots: 9 } });
    expect(out).not.toContain('hush');
    expect(JSON.parse((await call(['config', 'print'])).out)).toMatchObject({ worker: { slots: 3 } });
  });

  test('NANOGRID_ENV chooses where --env does not', async () => {
    const env = { NANOGRID_ENV: 'production' };
    expect(JSON.parse((await call(['config', 'print'], { env })).out)).toMatchObject({ worker: { slots: 9 } });
  });

  test('print --sources tells where a value is from', async () => {
    const { out } = await call(['config', 'print', '--sources', '--json']);
    expect(JSON.parse(out)['worker.slots']).toBe(join(folder, 'nanogrid.config.json'));
  });

  test('schema is a JSON Schema', async () => {
    const { out } = await call(['config', 'schema']);
    expect(JSON.parse(out)).toMatchObject({ type: 'object', properties: { worker: expect.anything() } });
  });

  test('a typo is told with the nearest key', async () => {
    await writeFile(join(folder, 'nanogrid.config.json'), '{"worker": {"slotz": 4}}');
    const { exitCode, err } = await call(['config', 'check']);
    expect(exitCode).toBe(2);
    expect(err).toContain('did you mean "slots"?');
  });
});

describe('submit and result, without a worker', () => {
  test('a job is accepted, and its state can be asked for', async () => {
    await writeFile(join(folder, 'hello.py'), 'print(1)');
    const submitted = await call(['submit', 'hello.py', '--id', 'job-1']);
    expect(submitted).toMatchObject({ exitCode: 0, out: 'job-1\n' });
    const asked = await call(['result', 'job-1', '--json']);
    expect(asked.exitCode).toBe(5);
    expect(JSON.parse(asked.out)).toEqual({ jobId: 'job-1', state: 'pending' });
  });

  test('an unknown job exits with 4', async () => {
    expect(await call(['result', 'nobody'])).toMatchObject({ exitCode: 4, out: '' });
  });

  test('a limit that the worker would refuse is refused before anything is queued', async () => {
    await writeFile(join(folder, 'hello.py'), 'print(1)');
    const { exitCode, err } = await call(['submit', 'hello.py', '--id', 'job-2', '--memory', '999999']);
    expect(exitCode).toBe(2);
    expect(err).toContain('memoryMb');
    expect((await call(['result', 'job-2'])).exitCode).toBe(4);
  });

  test('without the plugin that they need they say so', async () => {
    await writeFile(join(folder, 'nanogrid.config.json'), '{"plugins": []}');
    await writeFile(join(folder, 'hello.py'), 'print(1)');
    for (const argv of [
      ['submit', 'hello.py'],
      ['result', 'job-1'],
    ]) {
      const { exitCode, err } = await call(argv);
      expect(exitCode).toBe(2);
      expect(err).toContain('@nanogrid/plugin-local');
    }
  });

  test('a wait ends when it is interrupted, with the code of the signal', async () => {
    const io = createTestIo({ cwd: folder });
    const waiting = main(['result', 'job-3', '--wait'], io);
    io.interruption.interrupt('SIGINT');
    expect(await waiting).toBe(130);
  });

  test('an error that nobody handled makes a command fail', async () => {
    const io = createTestIo({ cwd: folder });
    const waiting = main(['result', 'job-4', '--wait'], io);
    io.interruption.crash(new Error('lost'));
    expect(await waiting).toBe(3);
    await turn();
    expect(io.err()).toContain('lost');
  });
});

test('a Docker engine that does not answer is the platform’s failure, and nothing is left behind', async () => {
  await writeFile(join(folder, 'hello.py'), 'print(1)');
  const { exitCode, out, err } = await call(['run', 'hello.py'], {
    env: { DOCKER_HOST: `unix://${folder}/nothing.sock` },
  });
  expect(exitCode).toBe(3);
  expect(out).toBe('');
  expect(err).toMatch(
    /^Error: Cannot reach the Docker engine.*\nHint: .*nanogrid doctor.*\nCode: NG_DOCKER_UNAVAILABLE\n$/,
  );
});

test('the doctor finds that Docker is missing and says how to get it', async () => {
  const { exitCode, out } = await call(['doctor', '--json'], {
    env: { DOCKER_HOST: `unix://${folder}/nothing.sock` },
  });
  expect(exitCode).toBe(1);
  const { healthy, findings } = JSON.parse(out) as { healthy: boolean; findings: Record<string, string>[] };
  expect(healthy).toBe(false);
  expect(findings.find(({ name }) => name === 'Docker')).toMatchObject({
    status: 'fail',
    hint: expect.stringContaining('apt-get install docker.io'),
  });
});
