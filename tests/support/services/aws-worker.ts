/**
 * A worker, or a controller, as a fleet runs it: `nanogrid start` in a process of its own, with the contract's environment
 * variables and a ten-line configuration. Owns the process, its folder, and the containers it may leave when it is killed.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createDockerClient } from '@nanogrid/core';
import { AWS_ENVIRONMENT } from './aws-clients.js';
import { ended } from './child-service.js';
import { compiled, source } from './places.js';
import type { FromWorker, HookStage, ToWorker } from './stage-stops.js';

/** A bound for what hangs; the first one may have to make the images. */
const START_TIMEOUT_MS = 900_000;

export interface AwsWorkerOptions {
  readonly queueUrl: string;
  /** Of SQS, S3 and CloudWatch: emulators, or proxies before them. */
  readonly endpoints: { readonly sqs: string; readonly s3: string; readonly cloudWatch?: string };
  readonly redis: { readonly host: string; readonly port: number };
  readonly codeBucket?: string;
  readonly outputBucket?: string;
  /** Options of the plugins. */
  readonly options?: {
    readonly sqs?: object;
    readonly s3?: object;
    readonly redis?: object;
    readonly cloudWatch?: object;
  };
  /** Of the configuration, beside runtimes and plugins. */
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  /** The text of the configuration file, instead of one made from `options` and `settings`. */
  readonly config?: string;
  /** Default `worker`. */
  readonly role?: 'worker' | 'controller';
  /** Where another worker was before, with what it left there. Default: a new folder. */
  readonly directory?: string;
}

/** Where workers keep their things, one after the other. */
export async function makeWorkerDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'nanogrid-fleet-'));
  await symlink(fileURLToPath(source('../../../node_modules')), join(directory, 'node_modules'));
  return directory;
}

export class AwsWorker {
  readonly directory: string;
  readonly #child: ChildProcess;
  readonly #ownsDirectory: boolean;
  readonly #reached: Extract<FromWorker, { stage: unknown }>[] = [];
  readonly #listeners = new Set<() => void>();
  #log = '';
  #out = '';
  #asked = 0;
  #done = 0;

  private constructor(directory: string, child: ChildProcess, ownsDirectory: boolean) {
    this.directory = directory;
    this.#child = child;
    this.#ownsDirectory = ownsDirectory;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text;
      this.#changed();
    });
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#out += text;
      this.#changed();
    });
    child.on('exit', () => this.#changed());
    child.on('message', (message: FromWorker) => {
      if ('done' in message) this.#done = message.done;
      else this.#reached.push(message);
      this.#changed();
    });
  }

  /** Takes jobs when it resolves. Throws with its log where it ends before. */
  static async start(options: AwsWorkerOptions): Promise<AwsWorker> {
    const directory = options.directory ?? (await makeWorkerDirectory());
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, 'nanogrid.config.mjs'), options.config ?? configuration(options));
    const { PATH = '', HOME = '', DOCKER_HOST } = process.env;
    const { endpoints, redis, codeBucket, outputBucket } = options;
    const env = {
      ...{ PATH, HOME, ...AWS_ENVIRONMENT, ...(DOCKER_HOST === undefined ? {} : { DOCKER_HOST }) },
      SQS_QUEUE_URL: options.queueUrl,
      AWS_ENDPOINT_URL_SQS: endpoints.sqs,
      AWS_ENDPOINT_URL_S3: endpoints.s3,
      ...(endpoints.cloudWatch === undefined ? {} : { AWS_ENDPOINT_URL_CLOUDWATCH: endpoints.cloudWatch }),
      ...(codeBucket === undefined ? {} : { S3_CODE_BUCKET: codeBucket }),
      ...(outputBucket === undefined ? {} : { S3_USER_DATA_BUCKET: outputBucket }),
      REDIS_HOST: redis.host,
      REDIS_PORT: `${redis.port}`,
      DOCKER_WORK_DIR_ROOT: join(directory, 'work'),
      ...options.env,
    };
    const bin = fileURLToPath(source('../../../packages/cli/dist/bin.js'));
    const argv = [bin, 'start', '--json', '--log-level', options.env?.LOG_LEVEL ?? 'debug'];
    if (options.role !== undefined) argv.push('--role', options.role);
    const stdio = ['ignore', 'pipe', 'pipe', 'ipc'] as const;
    const child = spawn(process.execPath, argv, { cwd: directory, env, stdio: [...stdio] });
    const worker = new AwsWorker(directory, child, options.directory === undefined);
    try {
      await worker.until(() => worker.#out.includes('"state":"ready"'), START_TIMEOUT_MS, 'to be ready');
    } catch (error) {
      await worker.close();
      throw error;
    }
    return worker;
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** What it has logged so far, a JSON document a line. */
  get log(): string {
    return this.#log;
  }

  /** `http://…` of its /health and /status. */
  get http(): string {
    return String((JSON.parse(this.#out) as { http: string }).http);
  }

  /** `http://…` of a controller's API. */
  get api(): string {
    return String((JSON.parse(this.#out) as { api: string }).api);
  }

  /** Every stage that jobs have reached. */
  get reached(): readonly { readonly stage: HookStage; readonly job: string; readonly attempt: number }[] {
    return this.#reached;
  }

  /** Resolves when this job has reached the stage. */
  async at(stage: HookStage, job: string, timeoutMs = 100_000): Promise<void> {
    const reached = () => this.#reached.some((one) => one.stage === stage && one.job === job);
    await this.until(reached, timeoutMs, `for ${job} to reach ${stage}`);
  }

  /** This job stays where it is once it has reached the stage, until `letGo`. */
  async hold(stage: HookStage, job: string): Promise<void> {
    await this.#ask({ stage, job });
  }

  async letGo(): Promise<void> {
    await this.#ask('none');
  }

  /** Resolves when `condition` holds, looked at whenever the worker says something. Throws where it ended, or after `timeoutMs`. */
  async until(condition: () => boolean, timeoutMs: number, what: string): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!condition()) {
      if (!this.isRunning) throw new Error(`the worker ended, waiting ${what}:\n${this.#log.slice(-8_000)}`);
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`waited ${timeoutMs} ms ${what}:\n${this.#log.slice(-8_000)}`);
      await this.#next(left);
    }
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Resolves with how it ended. Throws where it does not within `timeoutMs`. */
  ended(timeoutMs: number): Promise<{ code: number | null; signal: string | null }> {
    return ended(this.#child, timeoutMs);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended(60_000);
  }

  /** In order. Returns the exit code. */
  async stop(timeoutMs = 200_000): Promise<number | null> {
    this.signal('SIGTERM');
    return (await this.ended(timeoutMs)).code;
  }

  /** Idempotent: ends it if need be, and removes what it left. */
  async close(): Promise<void> {
    if (this.isRunning) await this.kill();
    await removeContainersOf(this.pid);
    if (this.#ownsDirectory) await rm(this.directory, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #ask(hold: ToWorker['hold']): Promise<void> {
    const id = ++this.#asked;
    this.#child.send({ id, hold } satisfies ToWorker);
    await this.until(() => this.#done >= id, 60_000, 'for an answer of the plugin');
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #next(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#listeners.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#listeners.add(done);
    });
  }
}

/** The ids of the containers that the worker with this process id made, in any state. */
export async function containersOf(pid: number): Promise<string[]> {
  const docker = createDockerClient(undefined);
  const all = await docker.listContainers({ all: true, filters: { label: ['nanogrid.role=job'] } });
  return all.filter(({ Labels }) => Labels['nanogrid.process']?.startsWith(`${pid}.`)).map(({ Id }) => Id);
}

/** Paths below `directory` that are named after the worker with this process id. */
export async function foldersOf(directory: string, pid: number): Promise<string[]> {
  const names = await readdir(directory, { recursive: true }).catch(() => []);
  return names.filter((name) => !name.startsWith('node_modules') && name.includes(`-${pid}-`));
}

async function removeContainersOf(pid: number): Promise<void> {
  const docker = createDockerClient(undefined);
  for (let tries = 0; tries < 50; tries++) {
    const left = await containersOf(pid);
    if (left.length === 0) return;
    // Some are removed by the engine at this moment.
    for (const id of left)
      await docker
        .getContainer(id)
        .remove({ force: true })
        .catch(() => {});
    await sleep(100);
  }
}

function configuration({ endpoints, options = {}, settings = {} }: AwsWorkerOptions): string {
  const show = (value: object | undefined) => (value === undefined ? '' : JSON.stringify(value));
  const withMetrics = endpoints.cloudWatch !== undefined;
  return `import { defineConfig } from '@nanogrid/core';
${withMetrics ? `import cloudWatch from '@nanogrid/plugin-cloudwatch';\n` : ''}import redis from '@nanogrid/plugin-redis';
import s3 from '@nanogrid/plugin-s3';
import sqs from '@nanogrid/plugin-sqs';
import { shell } from '${compiled('../shell-runtime.js').href}';
import { stageStops } from '${compiled('./stage-stops.js').href}';

const metrics = [${withMetrics ? `cloudWatch(${show(options.cloudWatch)})` : ''}];
const plugins = [sqs(${show(options.sqs)}), s3(${show(options.s3)}), redis(${show(options.redis)}), ...metrics, stageStops()];
export default defineConfig({ runtimes: [shell], plugins, ...${JSON.stringify({ http: { port: 0 }, ...settings })} });
`;
}
