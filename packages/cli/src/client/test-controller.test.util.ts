/** A real controller on loopback over the embedded twins, for tests of the commands that ask one. Owns what one test file started. */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { Controller, newApiKey } from '@nanogrid/controller';
import { type JobResult, type Logger, loadConfig, silentLogger } from '@nanogrid/core';
import { type Local, local, openLocal } from '@nanogrid/plugin-local';
import { node } from '@nanogrid/runtime-node';
import { python } from '@nanogrid/runtime-python';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { main } from '../main.js';
import { createTestIo, type TestIo } from '../test-io.test.util.js';

/** Starts the controller before the tests of a file, and gives each test a folder. */
export function useController() {
  const mine = newApiKey();
  const reader = newApiKey();
  let dataDir: string;
  let store: Local;
  let controller: Controller;
  let folder: string;
  /** Of the requests that the controller answered, in order. */
  const statuses: (number | undefined)[] = [];

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'nanogrid-client-'));
    const apiKeys = [
      { id: 'mine', hash: mine.hash },
      { id: 'reader', hash: reader.hash, owner: 'mine', scopes: ['read' as const] },
    ];
    const loaded = await loadConfig({
      cwd: dataDir,
      overrides: {
        dataDir,
        runtimes: [python(), node()],
        plugins: [local()],
        controller: { port: 0, apiKeys, waitTimeoutMs: 300 },
      },
    });
    const log: Logger = {
      ...silentLogger,
      debug: (fields: unknown) => statuses.push((fields as { status?: number }).status),
    };
    controller = new Controller({ loaded, log });
    await controller.start();
    store = await openLocal({ directory: dataDir });
  });

  afterAll(async () => {
    await controller?.stop();
    await store?.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nanogrid-client-'));
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  function makeIo(options: Parameters<typeof createTestIo>[0] = {}): TestIo {
    const env = { HOME: folder, NANOGRID_SERVER: controller.address, NANOGRID_API_KEY: mine.key, ...options.env };
    return createTestIo({ cwd: folder, ...options, env });
  }

  async function finish(running: Promise<number>, io: TestIo) {
    const exitCode = await running;
    await turn();
    return { exitCode, out: io.out(), err: io.err() };
  }

  function call(argv: string[], options: Parameters<typeof createTestIo>[0] = {}) {
    const io = makeIo(options);
    return finish(main(argv, io), io);
  }

  async function write(files: Record<string, string>): Promise<void> {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(join(folder, path, '..'), { recursive: true });
      await writeFile(join(folder, path), text);
    }
  }

  let serial = 0;

  /** Deploys a function of a new name; returns both. */
  async function deployed(source = 'print(1)'): Promise<{ name: string; id: string }> {
    const name = `f${++serial}`;
    await write({ [`${name}/main.py`]: source });
    const { exitCode, out, err } = await call(['deploy', name]);
    expect({ exitCode, err }).toMatchObject({ exitCode: 0 });
    return { name, id: out.trim() };
  }

  /** Ends the next job of the queue as a worker would, and returns its message, with its text as `body`. */
  async function answerNext(result: Partial<JobResult> = {}): Promise<Record<string, unknown>> {
    const source = store.queue;
    const [delivery] = await source.receive(1, AbortSignal.timeout(100_000));
    if (delivery === undefined) throw new Error('no job came');
    const message = JSON.parse(delivery.body) as Record<string, unknown>;
    await delivery.ack();
    await store.results.publish(
      {
        requestId: String(message.job_id),
        functionId: String(message.function_id),
        runtime: 'python',
        status: 'SUCCESS',
        exitCode: 0,
        stdout: 'a line\n',
        stderr: '',
        result: { got: message.payload },
        durationMs: 12,
        peakMemoryBytes: 3 << 20,
        optimizationTip: 'Half of the memory would do.',
        outputFiles: [],
        attempt: 1,
        ...result,
      } as unknown as JobResult,
      'snake',
    );
    return { ...message, body: delivery.body };
  }

  return {
    /** A key that may do all, and one of the same owner that may read. */
    ...{ mine, reader, statuses, makeIo, finish, call, write, deployed, answerNext },
    /** The controller's. */
    get dataDir() {
      return dataDir;
    },
    get store() {
      return store;
    },
    get controller() {
      return controller;
    },
    /** The test's own, where its commands run. */
    get folder() {
      return folder;
    },
  };
}
