import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test as base, describe, expect } from 'vitest';
import { NanoGridError } from '../errors.js';
import { definePlugin } from '../plugin/define-plugin.js';
import { defineRuntime } from '../runtime/define-runtime.js';
import { type LoadConfigOptions, type LoadedConfig, loadConfig } from './load-config.js';

interface Folder {
  readonly path: string;
  write(name: string, text: string): Promise<string>;
  load(options?: Partial<LoadConfigOptions>): Promise<LoadedConfig>;
  fail(options?: Partial<LoadConfigOptions>): Promise<NanoGridError>;
}

const MIB = 1024 * 1024;
const machine = { cpuCount: 4, totalMemoryBytes: 8_192 * MIB };
const perl = defineRuntime({ name: 'perl', image: 'perl:5', entrypoints: ['main.pl'], run: ['perl', '{entrypoint}'] });
const optionsSchema = {
  type: 'object',
  properties: { url: { type: 'string', default: 'here' }, port: { type: 'integer' } },
} as const;
const queue = definePlugin({
  name: 'queue',
  version: '1.0.0',
  core: '*',
  optionsSchema,
  env: { QUEUE_PORT: 'port' },
  apply() {},
});

const test = base.extend<{ folder: Folder }>({
  // biome-ignore lint/correctness/noEmptyPattern: Vitest reads the fixtures that this one needs from the pattern.
  folder: async ({}, use) => {
    const path = await mkdtemp(join(tmpdir(), 'nanogrid-config-'));
    const load = (options: Partial<LoadConfigOptions> = {}) =>
      loadConfig({ cwd: path, machine, defaults: { runtimes: [perl] }, ...options });
    await use({
      path,
      load,
      write: async (name, text) => {
        await mkdir(dirname(join(path, name)), { recursive: true });
        await writeFile(join(path, name), text);
        return join(path, name);
      },
      fail: async (options) => {
        const error = await load(options).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        if (error instanceof NanoGridError) return error;
        throw new Error(`no NanoGridError: ${String(error)}`);
      },
    });
    await rm(path, { recursive: true, force: true });
  },
});

describe('defaults', () => {
  test('are those that CoreConfig documents', async ({ folder }) => {
    const { config, filePath } = await folder.load();
    expect(filePath).toBeUndefined();
    expect(config).toEqual({
      environment: undefined,
      dataDir: join(folder.path, '.nanogrid'),
      workDir: '/tmp/tasks',
      aiEndpoint: undefined,
      worker: { slots: 8, memoryMb: 6_144, prefetch: 0, drainTimeoutMs: 30_000 },
      http: { host: '127.0.0.1', port: 8_080 },
      job: {
        memoryMb: 256,
        timeoutMs: 300_000,
        maxMemoryMb: 3_008,
        maxTimeoutMs: 900_000,
        graceMs: 200,
        maxLogBytes: MIB,
        maxInputBytes: 6 * MIB,
      },
      code: {
        bucket: 'nanogrid-code',
        allowedBuckets: ['nanogrid-code'],
        limits: {
          maxArchiveBytes: 64 * MIB,
          maxTotalBytes: 256 * MIB,
          maxFileBytes: 128 * MIB,
          maxEntries: 10_000,
          maxRatio: 200,
          maxPathBytes: 512,
          maxDepth: 32,
        },
        cacheBytes: 2_048 * MIB,
      },
      build: { cacheBytes: 2_048 * MIB, maxArtifactBytes: 256 * MIB, maxArtifactFiles: 1_000 },
      output: { bucket: 'nanogrid-user-data', maxBytes: 64 * MIB, maxFiles: 256, maxDepth: 16 },
      functions: {},
      network: { grants: {}, name: 'nanogrid-egress', dns: ['1.1.1.1', '8.8.8.8'], allow: [], deny: [] },
      sandbox: {
        cpus: 1,
        pids: 128,
        diskMb: 128,
        inodes: 16_384,
        openFiles: 1_024,
        ociRuntime: undefined,
        preflight: 'warn',
      },
      pool: { maxContainers: undefined, sizes: {}, idleTimeoutMs: 600_000, maxJobs: 10_000 },
      reuse: { default: 'container', runtimes: {}, functions: {}, maxUses: 1_000, maxAgeMs: 600_000 },
      docker: { host: undefined },
    });
  });

  test('follow the machine and each other', async ({ folder }) => {
    const small = { cpuCount: 1, totalMemoryBytes: 256 * MIB };
    const { config } = await folder.load({ machine: small, overrides: { code: { bucket: 'other' } } });
    expect(config.worker).toMatchObject({ slots: 2, memoryMb: 256 });
    expect(config.code.allowedBuckets).toEqual(['other']);
  });

  test('a value of undefined changes nothing', async ({ folder }) => {
    const { config } = await folder.load({ overrides: { worker: { slots: undefined }, workDir: undefined } });
    expect(config.worker.slots).toBe(8);
    expect(config.workDir).toBe('/tmp/tasks');
  });

  test('the result is frozen', async ({ folder }) => {
    const { config } = await folder.load();
    expect(Object.isFrozen(config.code.limits)).toBe(true);
  });
});

describe('layers', () => {
  const file = JSON.stringify({
    output: { bucket: 'base-bucket' },
    job: { memoryMb: 100, timeoutMs: 1_000 },
    code: { allowedBuckets: ['a1', 'nanogrid-code'] },
    environments: {
      production: { job: { memoryMb: 200 }, code: { allowedBuckets: ['nanogrid-code'] } },
      staging: {},
    },
  });

  test('override each other in the documented order', async ({ folder }) => {
    const path = await folder.write('nanogrid.config.json', file);
    const loaded = await folder.load({
      environment: 'production',
      defaults: { runtimes: [perl], http: { port: 1 }, worker: { slots: 1 }, output: { maxFiles: 7 } },
      env: { S3_USER_DATA_BUCKET: 'env-bucket', AI_ENDPOINT: 'http://llm:11434' },
      overrides: { worker: { slots: 3 } },
    });
    const { config } = loaded;
    expect(config.environment).toBe('production');
    expect(config.output).toMatchObject({ bucket: 'base-bucket', maxFiles: 7, maxDepth: 16 });
    expect(config.job).toMatchObject({ memoryMb: 200, timeoutMs: 1_000, graceMs: 200 });
    expect(config.worker.slots).toBe(3);
    expect(config.aiEndpoint).toBe('http://llm:11434');
    expect(config.http.port).toBe(1);
    expect(loaded.environments).toEqual(['production', 'staging']);
    expect(loaded.sources).toMatchObject({
      'output.bucket': path,
      'job.memoryMb': `${path}, environment "production"`,
      'job.timeoutMs': path,
      'job.graceMs': 'built-in defaults',
      'worker.slots': 'the command line',
      'worker.memoryMb': 'built-in defaults',
      'http.port': 'the defaults of the command',
      aiEndpoint: 'environment variable AI_ENDPOINT',
    });
  });

  test('lists are replaced, not joined', async ({ folder }) => {
    await folder.write('nanogrid.config.json', file);
    expect((await folder.load()).config.code.allowedBuckets).toEqual(['a1', 'nanogrid-code']);
    expect((await folder.load({ environment: 'production' })).config.code.allowedBuckets).toEqual(['nanogrid-code']);
  });

  test('relative folders start from where they are written', async ({ folder }) => {
    await folder.write('nanogrid.config.json', '{"dataDir": "data"}');
    await folder.write('sub/package.json', '{}');
    const { config } = await folder.load({ cwd: join(folder.path, 'sub'), env: { DOCKER_WORK_DIR_ROOT: 'work' } });
    expect(config.dataDir).toBe(join(folder.path, 'data'));
    expect(config.workDir).toBe(join(folder.path, 'sub', 'work'));
  });

  test('durable data lies beside the file, wherever one starts from', async ({ folder }) => {
    await folder.write('nanogrid.config.json', '{}');
    await folder.write('sub/x', '');
    const { config } = await folder.load({ cwd: join(folder.path, 'sub') });
    expect(config.dataDir).toBe(join(folder.path, '.nanogrid'));
  });

  test('an unknown environment is an error that lists those that exist', async ({ folder }) => {
    const path = await folder.write('nanogrid.config.json', file);
    const error = await folder.fail({ environment: 'prodution' });
    expect(error.code).toBe('NG_CONFIG_INVALID');
    expect(error.message).toBe(
      'The environment "prodution" is not in the configuration: there are production, staging; did you mean "production"?',
    );
    await folder.write('nanogrid.config.json', '{}');
    expect((await folder.fail({ environment: 'x' })).message).toContain(`${path} has none`);
  });

  test.for(['__proto__', 'constructor', ''])('the environment %j is unknown', async (environment, { folder }) => {
    expect((await folder.fail({ environment })).message).toContain('there is no configuration file');
    await folder.write('nanogrid.config.json', file);
    expect((await folder.fail({ environment })).message).toContain('there are production, staging');
  });
});

describe('environment variables', () => {
  test('set what the contract says', async ({ folder }) => {
    const { config } = await folder.load({
      env: {
        S3_CODE_BUCKET: 'code-bucket',
        S3_USER_DATA_BUCKET: 'data-bucket',
        AI_ENDPOINT: 'http://llm:11434',
        DOCKER_WORK_DIR_ROOT: '/var/tasks',
        DOCKER_HOST: 'tcp://engine:2375',
        WARM_POOL_PERL_SIZE: '3',
        WARM_POOL_COBOL_SIZE: 'many',
        UNRELATED: '',
      },
    });
    expect(config).toMatchObject({
      code: { bucket: 'code-bucket', allowedBuckets: ['code-bucket'] },
      output: { bucket: 'data-bucket' },
      aiEndpoint: 'http://llm:11434',
      workDir: '/var/tasks',
      docker: { host: 'tcp://engine:2375' },
      pool: { sizes: { perl: 3 } },
    });
  });

  test('the pool of a runtime with a dash in its name has a variable with an underscore', async ({ folder }) => {
    const runtime = defineRuntime({ ...perl, name: 'perl-6' });
    const { config } = await folder.load({ defaults: { runtimes: [runtime] }, env: { WARM_POOL_PERL_6_SIZE: '0' } });
    expect(config.pool.sizes).toEqual({ 'perl-6': 0 });
  });

  test.for([
    ['WARM_POOL_PERL_SIZE', '2x'],
    ['WARM_POOL_PERL_SIZE', ''],
    ['WARM_POOL_PERL_SIZE', ' '],
    ['WARM_POOL_PERL_SIZE', ' 2'],
    ['WARM_POOL_PERL_SIZE', 'NaN'],
    ['WARM_POOL_PERL_SIZE', '-1'],
    ['WARM_POOL_PERL_SIZE', '1e3'],
    ['WARM_POOL_PERL_SIZE', '0x10'],
    ['WARM_POOL_PERL_SIZE', '1.5'],
    ['WARM_POOL_PERL_SIZE', '99999999999999999999'],
    ['S3_CODE_BUCKET', ''],
    ['S3_CODE_BUCKET', '../x'],
    ['AI_ENDPOINT', 'localhost:11434'],
    ['AI_ENDPOINT', 'http://'],
    ['AI_ENDPOINT', 'http://:80'],
    ['DOCKER_HOST', '/var/run/docker.sock'],
    ['DOCKER_WORK_DIR_ROOT', ''],
  ] as const)('%s=%j is an error that names the variable', async ([variable, value], { folder }) => {
    const error = await folder.fail({ env: { [variable]: value } });
    expect(error.code).toBe('NG_CONFIG_INVALID');
    expect(error.message).toContain(`(in environment variable ${variable})`);
  });

  test('one that the file overrides is not read', async ({ folder }) => {
    await folder.write('nanogrid.config.json', '{"pool": {"sizes": {"perl": 2}}, "code": {"bucket": "mine"}}');
    const { config } = await folder.load({ env: { WARM_POOL_PERL_SIZE: '2x', S3_CODE_BUCKET: '' } });
    expect(config.pool.sizes).toEqual({ perl: 2 });
  });

  test('the password of an address is not shown', async ({ folder }) => {
    const { message } = await folder.fail({ env: { DOCKER_HOST: 'docker://me:hunter2@host' } });
    expect(message).toContain('docker://***@host');
    expect(message).not.toContain('hunter2');
  });
});

describe('validation', () => {
  test('lists every problem with path, value, reason, suggestion and source', async ({ folder }) => {
    const path = await folder.write(
      'nanogrid.config.json',
      JSON.stringify({
        worker: { slotz: 4, memoryMb: '1g' },
        http: { port: 70_000 },
        wroker: {},
        environments: { production: { job: { graceMs: -1 } } },
      }),
    );
    const error = await folder.fail({ overrides: { worker: { slots: 0 } }, env: { S3_CODE_BUCKET: '' } });
    expect(error.code).toBe('NG_CONFIG_INVALID');
    expect(error.message.split('\n  - ')).toEqual([
      'The configuration is not valid:',
      `wroker: {} is given, but there is no such key; did you mean "worker"? (in ${path})`,
      `worker.slotz: 4 is given, but there is no such key; did you mean "slots"? (in ${path})`,
      `worker.memoryMb: "1g" must be a whole number (in ${path})`,
      `http.port: 70000 must be <= 65535 (in ${path})`,
      `job.graceMs: -1 must be >= 0 (in ${path}, environment "production")`,
      'code.bucket: "" is empty; give a value or unset the variable (in environment variable S3_CODE_BUCKET)',
      'worker.slots: 0 must be >= 1 (in the command line)',
    ]);
  });

  test.for([
    ['worker.slots', 1.5, 'must be a whole number'],
    ['worker.slots', Number.NaN, 'NaN must be a whole number'],
    ['worker.slots', null, 'must be a whole number'],
    ['job.timeoutMs', 0, 'must be >= 1'],
    ['job.timeoutMs', 2 ** 31, 'must be <= 2147483647'],
    ['job.memoryMb', 5, 'must be >= 6'],
    ['job.maxLogBytes', Number.POSITIVE_INFINITY, 'must be a whole number'],
    ['sandbox.cpus', 0, 'must be >= 0.01'],
    ['sandbox.ociRuntime', 'run sc', 'must be the name of an OCI runtime'],
    ['http.port', '8080', 'must be a whole number'],
    ['code.bucket', '..', 'must be a bucket name'],
    ['code.allowedBuckets', [], 'must NOT have fewer than 1 items'],
    ['code.allowedBuckets', 'nanogrid-code', 'must be a list'],
    ['pool.sizes', { perl: -1 }, 'must be >= 0'],
    ['pool.sizes', { 'Perl!': 1 }, 'is not a valid name'],
    ['docker.host', true, 'must be a string'],
    ['dataDir', '', 'must NOT have fewer than 1 characters'],
    ['plugins', [() => {}], 'is it a factory that was not called?'],
    ['plugins', [5], 'must be an object or a string or a list'],
    ['plugins', [['a', {}, 1]], 'must NOT have more than 2 items'],
    ['worker', 4, 'must be an object'],
  ] as const)('%s: %j is refused', async ([path, value, reason], { folder }) => {
    const keys = path.split('.');
    const overrides = keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
    const { code, message } = await folder.fail({ overrides: overrides as object });
    expect(code).toBe('NG_CONFIG_INVALID');
    expect(message).toContain(path);
    expect(message).toContain(reason);
    expect(message).toContain('(in the command line)');
  });

  test.for([
    [{ job: { memoryMb: 4_000 } }, 'job.memoryMb: 4000 must be at most job.maxMemoryMb, which is 3008'],
    [{ job: { timeoutMs: 900_001 } }, 'job.timeoutMs: 900001 must be at most job.maxTimeoutMs, which is 900000'],
    [{ job: { graceMs: 300, timeoutMs: 200 } }, 'job.graceMs: 300 must be at most job.timeoutMs, which is 200'],
    [{ worker: { memoryMb: 128 } }, 'worker.memoryMb: 128 must be at least job.memoryMb, which is 256'],
    [
      { code: { allowedBuckets: ['other'] } },
      'code.allowedBuckets: ["other"] must include code.bucket, which is "nanogrid-code"',
    ],
    [
      { pool: { sizes: { prl: 1 } } },
      'pool.sizes.prl: 1 is for a runtime that is not in "runtimes", there are perl; did you mean "perl"?',
    ],
  ] as const)('%j contradicts itself', async ([overrides, reason], { folder }) => {
    const { code, message } = await folder.fail({ overrides });
    expect(code).toBe('NG_CONFIG_INVALID');
    expect(message).toContain(reason);
    expect(message).toContain('(in the command line)');
  });

  test('a default that contradicts is named as such', async ({ folder }) => {
    const { message } = await folder.fail({ overrides: { job: { maxMemoryMb: 128 } } });
    expect(message).toContain('job.memoryMb: 256 must be at most job.maxMemoryMb, which is 128 (in built-in defaults)');
  });

  test.for([
    '{"__proto__": {"worker": {"slots": 1}}}',
    '{"worker": {"__proto__": {"slots": 1}}}',
    '{"pool": {"sizes": {"__proto__": 1}}}',
    '{"environments": {"__proto__": {}}}',
  ])('%s is refused', async (text, { folder }) => {
    await folder.write('nanogrid.config.json', text);
    expect((await folder.fail()).message).toContain('__proto__');
  });

  test.for(['[]', '"x"', '5', 'null'])('a file that holds %s is refused', async (text, { folder }) => {
    await folder.write('nanogrid.config.json', text);
    expect((await folder.fail()).message).toContain('must be an object');
  });

  test.for([
    [{ environments: [] }, 'environments: [] must be an object'],
    [{ environments: { production: 5 } }, 'must be an object'],
    [{ environments: { 'a b': {} } }, 'environments.a b: is not a valid name'],
    [{ environments: { production: { environments: {} } } }, 'environments: {} is given, but there is no such key'],
  ] as const)('%j is refused', async ([value, reason], { folder }) => {
    await folder.write('nanogrid.config.json', JSON.stringify(value));
    expect((await folder.fail()).message).toContain(reason);
  });

  test('a key for the editor is allowed', async ({ folder }) => {
    await folder.write('nanogrid.config.json', '{"$schema": "./schema.json"}');
    await folder.load();
  });
});

describe('runtimes and plugins', () => {
  test('a runtime that was written by hand is checked', async ({ folder }) => {
    const error = await folder.fail({ overrides: { runtimes: [{ ...perl, image: '' }] } });
    expect(error.code).toBe('NG_RUNTIME_INVALID');
  });

  test('options are checked, with their variables as defaults', async ({ folder }) => {
    const overrides = { plugins: [queue({ url: 'there' })] };
    const loaded = await folder.load({ overrides, env: { QUEUE_PORT: '7' } });
    expect(loaded.checkedPlugins[0]?.options).toEqual({ url: 'there', port: 7 });
    const error = await folder.fail({ overrides, env: { QUEUE_PORT: '7x' } });
    expect(error.code).toBe('NG_PLUGIN_INVALID');
    expect(error.message).toContain('environment variable QUEUE_PORT');
  });

  test('those of the file replace those of the command', async ({ folder }) => {
    await folder.write('nanogrid.config.json', '{"plugins": []}');
    const loaded = await folder.load({ defaults: { runtimes: [perl], plugins: [queue()] } });
    expect(loaded.plugins).toEqual([]);
    expect(loaded.runtimes).toEqual([perl]);
  });
});
