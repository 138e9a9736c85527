import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { definePlugin } from '../plugin/define-plugin.js';
import { defineRuntime } from '../runtime/define-runtime.js';
import { MIB, perl, test } from './config-folder.test.util.js';

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
      controller: {
        host: '127.0.0.1',
        port: 3_000,
        apiKeys: [],
        allowAnonymous: false,
        waitTimeoutMs: 300_000,
        maxWaiting: 10_000,
        maxQueued: 100_000,
        requestTimeoutMs: 120_000,
        idempotencyMs: 86_400_000,
        registryCacheMs: 1_000,
        callbacks: { allow: [], timeoutMs: 10_000, maxAttempts: 10, maxBodyBytes: 262_144 },
      },
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
      pool: {
        maxContainers: undefined,
        sizes: {},
        idleTimeoutMs: 600_000,
        maxJobs: 10_000,
        faults: { free: 1, delayMs: 1_000, maxDelayMs: 30_000 },
      },
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
