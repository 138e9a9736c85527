/** The registry of functions: the same behaviour of the embedded twin and of DynamoDB on two emulators; items of other controllers; what goes wrong. */

import { type DynamoDBClient, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import {
  createHooks,
  createPluginHost,
  type FunctionRecord,
  type FunctionRegistry,
  loadConfig,
  silentLogger,
} from '@nanogrid/core';
import { dynamodb } from '@nanogrid/plugin-dynamodb';
import { openLocal } from '@nanogrid/plugin-local';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { makeFolder } from '../support/redis-store.js';
import { AWS_ENVIRONMENT, dynamoDbClient } from '../support/services/aws-clients.js';
import { type DynamoEmulator, startDynalite } from '../support/services/dynalite.js';
import { startHttpFaultProxy } from '../support/services/http-fault-proxy.js';
import { startMoto } from '../support/services/moto.js';

let dynalite: DynamoEmulator;
let moto: DynamoEmulator;
let client: DynamoDBClient;

beforeAll(async () => {
  for (const [name, value] of Object.entries(AWS_ENVIRONMENT)) vi.stubEnv(name, value);
  [dynalite, moto] = await Promise.all([startDynalite(), startMoto()]);
  client = dynamoDbClient(dynalite.endpoint);
});

afterAll(async () => {
  client?.destroy();
  await Promise.all([dynalite?.close(), moto?.close()]);
  vi.unstubAllEnvs();
});

let serial = 0;

/** The plugin as a controller has it, on a table of its own unless `tableName` names one. */
async function startPlugin(
  options: Parameters<typeof dynamodb>[0] = {},
  role: 'worker' | 'controller' | 'client' = 'controller',
) {
  const plugin = dynamodb({
    endpoint: dynalite.endpoint,
    tableName: `functions-${++serial}`,
    createTable: true,
    requestTimeoutMs: 20_000,
    ...options,
  });
  const { config } = await loadConfig({ cwd: await makeFolder(), overrides: { plugins: [plugin] }, env: {} });
  const host = await createPluginHost({ config, hooks: createHooks(), log: silentLogger, role, plugins: [plugin] });
  onTestFinished(() => host.stop());
  await host.start();
  return host;
}

const tableName = () => `functions-${serial}`;
const onDynamo = async (options?: Parameters<typeof dynamodb>[0]) => (await startPlugin(options)).require('registry');

type Place = readonly [name: string, make: () => Promise<FunctionRegistry>, quirk: 'atomic' | 'not atomic'];

const PLACES: readonly Place[] = [
  [
    'the embedded twin',
    async () => {
      const local = await openLocal({ directory: await makeFolder() });
      onTestFinished(() => local.close());
      return local.registry;
    },
    'atomic',
  ],
  ['DynamoDB on the emulator dynalite, by a scan', () => onDynamo(), 'atomic'],
  ['DynamoDB on the emulator dynalite, by an index', () => onDynamo({ ownerIndex: 'owner-functionId' }), 'atomic'],
  ['DynamoDB on the emulator moto, by a scan', () => onDynamo({ endpoint: moto.endpoint }), 'not atomic'],
  [
    'DynamoDB on the emulator moto, by an index',
    () => onDynamo({ endpoint: moto.endpoint, ownerIndex: 'by-owner' }),
    'not atomic',
  ],
];

function makeRecord(functionId: string, more: Partial<FunctionRecord> = {}): FunctionRecord {
  return {
    functionId,
    functionName: 'hällo',
    owner: 'default',
    version: 1,
    s3Key: `functions/${functionId}/code.zip`,
    runtime: 'python3.9',
    handler: 'main.handler',
    timeout: 2.5,
    memoryMb: 128,
    env: { GREETING: 'hi', EMPTY: '', __proto__x: '1' },
    codeDigest: '0'.repeat(64),
    codeBytes: 10,
    createdAt: '2026-01-01T00:00:00.000Z',
    updatedAt: '2026-01-02T00:00:00.000Z',
    ...more,
  };
}

/** All at once, or where a service is not made for that (moto compares first and writes then) one after the other. */
async function together(works: readonly (() => Promise<boolean>)[], atOnce: boolean): Promise<boolean[]> {
  if (atOnce) return Promise.all(works.map((work) => work()));
  const done: boolean[] = [];
  for (const work of works) done.push(await work());
  return done;
}

async function listAll(registry: FunctionRegistry, owner: string, limit: number): Promise<string[][]> {
  const pages: string[][] = [];
  let cursor: string | undefined;
  do {
    const page = await registry.list({ owner, limit, ...(cursor === undefined ? {} : { cursor }) });
    pages.push(page.functions.map(({ functionId }) => functionId));
    cursor = page.cursor;
  } while (cursor !== undefined);
  return pages;
}

describe.each(PLACES)('a registry in %s', (_name, makeRegistry, quirk) => {
  test('gives back what was registered, and what changed', async () => {
    const registry = await makeRegistry();
    const record = makeRecord('fn-1');
    expect(await registry.put(record)).toBe(true);
    expect(await registry.get('fn-1')).toEqual(record);
    expect(await registry.get('fn-2')).toBeUndefined();
    // What a version no longer has is gone.
    const next = makeRecord('fn-1', { version: 2, handler: undefined, memoryMb: undefined, env: {} });
    expect(await registry.put(next)).toBe(true);
    expect(await registry.get('fn-1')).toEqual(next);
  });

  test('accepts one of 20 changes to one version, and one of 20 new functions of one id', async () => {
    const registry = await makeRegistry();
    for (const version of [1, 2]) {
      const change = (_: unknown, n: number) => () => registry.put(makeRecord('fn-1', { version, timeout: n + 1 }));
      const changes = Array.from({ length: 20 }, change);
      const accepted = (await together(changes, quirk === 'atomic')).flatMap((did, n) => (did ? [n + 1] : []));
      expect(accepted).toHaveLength(1);
      expect(await registry.get('fn-1')).toMatchObject({ version, timeout: accepted[0] });
    }
    for (const version of [1, 2, 4]) expect(await registry.put(makeRecord('fn-1', { version }))).toBe(false);
    expect(await registry.put(makeRecord('fn-2', { version: 2 }))).toBe(false);
    expect(await registry.get('fn-2')).toBeUndefined();
  });

  test('lists an owner’s functions in order, page by page, and nobody else’s', async () => {
    const registry = await makeRegistry();
    for (const id of ['c', 'a', 'E', 'b', 'd-1', 'd.1']) await registry.put(makeRecord(id));
    await registry.put(makeRecord('aa', { owner: 'other' }));
    expect(await listAll(registry, 'default', 2)).toEqual([
      ['E', 'a'],
      ['b', 'c'],
      ['d-1', 'd.1'],
    ]);
    expect(await listAll(registry, 'default', 100)).toEqual([['E', 'a', 'b', 'c', 'd-1', 'd.1']]);
    expect(await listAll(registry, 'other', 1)).toEqual([['aa']]);
    expect(await listAll(registry, 'nobody', 1)).toEqual([[]]);
    expect((await registry.list({ owner: 'other', limit: 1 })).functions).toEqual([
      makeRecord('aa', { owner: 'other' }),
    ]);
  });

  test('forgets what is deleted, once', async () => {
    const registry = await makeRegistry();
    await registry.put(makeRecord('fn-1'));
    expect(await registry.delete('fn-1')).toBe(true);
    expect(await registry.delete('fn-1')).toBe(false);
    expect(await registry.get('fn-1')).toBeUndefined();
    expect(await registry.put(makeRecord('fn-1'))).toBe(true);
  });
});

describe('DynamoDB on the emulator dynalite:', () => {
  /** As controllers before this one wrote it. */
  const oldItem = (functionId: string, more: object = {}) => ({
    functionId: { S: functionId },
    functionName: { S: 'thumbnail' },
    s3Key: { S: `code/${functionId}.zip` },
    runtime: { S: 'nodejs18.x' },
    handler: { S: 'index.handler' },
    timeout: { N: '30' },
    createdAt: { S: '2025-03-04T05:06:07.891' },
    ...more,
  });
  const putOld = (functionId: string, more?: object) =>
    client.send(new PutItemCommand({ TableName: tableName(), Item: oldItem(functionId, more) }));

  test('a function of an older controller is read, listed, and gets its next version', async () => {
    const registry = await onDynamo();
    await putOld('old-1');
    await putOld('old-2', {
      timeout: { S: '45' },
      handler: { S: '' },
      createdAt: { N: '1700000000000' },
      env: { S: '?' },
    });
    const read = {
      ...{ owner: 'default', version: 1, s3Key: 'code/old-1.zip', runtime: 'nodejs18.x', handler: 'index.handler' },
      ...{ timeout: 30, memoryMb: undefined, env: {}, codeDigest: '', codeBytes: 0 },
    };
    expect(await registry.get('old-1')).toMatchObject(read);
    expect(await registry.get('old-2')).toMatchObject({
      ...{ timeout: 45, handler: undefined, env: {} },
      ...{ createdAt: '2023-11-14T22:13:20.000Z', updatedAt: '2023-11-14T22:13:20.000Z' },
    });
    expect(await listAll(registry, 'default', 1)).toEqual([['old-1'], ['old-2']]);
    expect(await listAll(registry, 'other', 1)).toEqual([[]]);
    expect(await registry.put(makeRecord('old-1'))).toBe(false);
    expect(await registry.put(makeRecord('old-1', { version: 2 }))).toBe(true);
    expect(await registry.put(makeRecord('old-1', { version: 2 }))).toBe(false);
    expect(await registry.get('old-1')).toEqual(makeRecord('old-1', { version: 2 }));
  });

  test('what others keep in an item stays; an item that is no function hides no other', async () => {
    const registry = await onDynamo();
    await registry.put(makeRecord('fn-1'));
    const Key = { functionId: { S: 'fn-1' } };
    const ExpressionAttributeValues = { ':team': { S: 'blue' } };
    const set = { UpdateExpression: 'SET team = :team', ExpressionAttributeValues };
    await client.send(new UpdateItemCommand({ TableName: tableName(), Key, ...set }));
    await registry.put(makeRecord('fn-1', { version: 2 }));
    const { Attributes } = await client.send(
      new UpdateItemCommand({ TableName: tableName(), Key, ...set, ReturnValues: 'ALL_OLD' }),
    );
    expect(Attributes?.team).toEqual({ S: 'blue' });
    await client.send(new PutItemCommand({ TableName: tableName(), Item: { functionId: { S: 'broken' } } }));
    expect(await listAll(registry, 'default', 10)).toEqual([['fn-1']]);
    await expect(registry.get('broken')).rejects.toMatchObject({ code: 'NG_REGISTRY_FAILED' });
  });

  test('a table of several megabytes is listed whole', async () => {
    const registry = await onDynamo();
    const ids = Array.from({ length: 30 }, (_, n) => `fn-${n + 10}`);
    const env = { BIG: 'x'.repeat(100_000) };
    await Promise.all(ids.map((id) => registry.put(makeRecord(id, { env }))));
    expect((await listAll(registry, 'default', 25)).flat()).toEqual(ids);
  });

  test('a registration whose answer is lost succeeded, and is no conflict with itself', async () => {
    await using proxy = await startHttpFaultProxy(dynalite.endpoint);
    const registry = await onDynamo({ endpoint: proxy.endpoint });
    let lost = 0;
    await proxy.fail(({ operation, answerBytes }) =>
      operation === 'UpdateItem' && answerBytes !== undefined && ++lost === 1
        ? { kind: 'cut', afterBytes: 0 }
        : undefined,
    );
    expect(await registry.put(makeRecord('fn-1'))).toBe(true);
    expect(lost).toBe(2);
    await proxy.clear();
    expect(await registry.put(makeRecord('fn-1'))).toBe(false);
  });

  test('an outage is told, and is over as soon as it is', async () => {
    await using proxy = await startHttpFaultProxy(dynalite.endpoint);
    const host = await startPlugin({ endpoint: proxy.endpoint });
    const registry = host.require('registry');
    const healthy = async () => (await host.health()).every((part) => part.healthy);
    expect(await healthy()).toBe(true);
    await proxy.fail({ kind: 'error', status: 500, code: 'InternalServerError' });
    await expect(registry.get('fn-1')).rejects.toMatchObject({
      code: 'NG_REGISTRY_FAILED',
      message: expect.stringContaining(`Looking up a function in the DynamoDB table ${tableName()} failed`),
      hint: expect.stringContaining(proxy.endpoint),
    });
    await proxy.clear();
    expect(await registry.get('fn-1')).toBeUndefined();
    await expect.poll(healthy).toBe(true);
  });
});

test('without the table the doctor and /health of a controller say so; a worker is not asked', async () => {
  const options = { tableName: 'missing', createTable: false };
  const host = await startPlugin(options);
  const [finding] = await host.diagnose();
  expect(finding).toMatchObject({ status: 'fail', found: expect.stringContaining('ResourceNotFound') });
  expect(finding).toMatchObject({ hint: expect.stringContaining('tableName (from the configuration file)') });
  expect((await host.health())[0]).toMatchObject({ healthy: false });
  const worker = await startPlugin({ ...options, createTable: true }, 'worker');
  expect((await worker.health())[0]).toMatchObject({ healthy: true });
  expect((await worker.diagnose())[0]).toMatchObject({ status: 'fail' });
});

test('a table that exists is left as it is', async () => {
  const first = await onDynamo();
  await first.put(makeRecord('fn-1'));
  const second = await onDynamo({ tableName: tableName() });
  expect(await second.get('fn-1')).toEqual(makeRecord('fn-1'));
});
