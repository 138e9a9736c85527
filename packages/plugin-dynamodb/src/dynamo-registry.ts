/** The registry of functions in a DynamoDB table. Owns no state. */

import { randomUUID } from 'node:crypto';
import { DeleteCommand, GetCommand, paginateQuery, paginateScan, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { type FunctionRecord, type FunctionRegistry, type Logger, NanoGridError } from '@nanogrid/core';
import { attributesOf, DEFAULT_OWNER, type Item, recordOf } from './function-item.js';
import type { Table } from './table.js';

export interface DynamoRegistryOptions {
  readonly table: Table;
  /** Index by owner and function id; undefined: lists scan the table. */
  readonly ownerIndex?: string | undefined;
  readonly log: Logger;
}

type ListQuery = Parameters<FunctionRegistry['list']>[0];

const REFUSED = 'ConditionalCheckFailedException';
/** Which write an item comes from: tells a write whose answer was lost from somebody else's. */
const WRITE_ID = 'writeId';

/** Reads are strongly consistent, but for lists from an index. Throws `NG_REGISTRY_FAILED`. */
export class DynamoRegistry implements FunctionRegistry {
  readonly #table: Table;
  readonly #ownerIndex: string | undefined;
  readonly #log: Logger;

  constructor({ table, ownerIndex, log }: DynamoRegistryOptions) {
    this.#table = table;
    this.#ownerIndex = ownerIndex;
    this.#log = log;
  }

  async put(record: FunctionRecord): Promise<boolean> {
    const writeId = randomUUID();
    const command = new UpdateCommand({
      TableName: this.#table.name,
      Key: { functionId: record.functionId },
      ...updateOf({ ...attributesOf(record), [WRITE_ID]: writeId }, record.version - 1),
    });
    try {
      await this.#table.request('Registering a function in', (client) => client.send(command), REFUSED);
      return true;
    } catch (error) {
      if ((error as Error).name !== REFUSED) throw error;
      // The SDK sends again what was not answered: then the version that is in the way may be this one.
      return (await this.#item(record.functionId))?.[WRITE_ID] === writeId;
    }
  }

  async get(functionId: string): Promise<FunctionRecord | undefined> {
    const item = await this.#item(functionId);
    if (item === undefined) return undefined;
    const record = recordOf(item);
    if (record !== undefined) return record;
    throw new NanoGridError('NG_REGISTRY_FAILED', `The item ${functionId} of ${this.#table.name} is no function.`, {
      hint: 'It has no attribute "runtime": correct or delete it.',
    });
  }

  async list(query: ListQuery) {
    // One more than is asked for tells whether there is a next page.
    const found = this.#ownerIndex === undefined ? await this.#scan(query) : await this.#query(query, this.#ownerIndex);
    const functions = found.slice(0, query.limit);
    return { functions, cursor: found.length > query.limit ? functions.at(-1)?.functionId : undefined };
  }

  async delete(functionId: string): Promise<boolean> {
    const command = new DeleteCommand({
      TableName: this.#table.name,
      Key: { functionId },
      ReturnValues: 'ALL_OLD',
    });
    const { Attributes } = await this.#table.request('Deleting a function from', (client) => client.send(command));
    // An emulator answers with an empty item where there was none.
    return Attributes?.functionId !== undefined;
  }

  async #item(functionId: string): Promise<Item | undefined> {
    const command = new GetCommand({ TableName: this.#table.name, Key: { functionId }, ConsistentRead: true });
    return (await this.#table.request('Looking up a function in', (client) => client.send(command))).Item;
  }

  /** A scan has no order: all of it is read, and only the first functions after the cursor are kept. */
  async #scan({ owner, limit, cursor }: ListQuery): Promise<FunctionRecord[]> {
    let first: FunctionRecord[] = [];
    const isOwn = owner === DEFAULT_OWNER ? '(#owner = :owner OR attribute_not_exists(#owner))' : '#owner = :owner';
    await this.#table.request('Listing the functions of', async (client) => {
      const pages = paginateScan(
        { client },
        {
          TableName: this.#table.name,
          ConsistentRead: true,
          FilterExpression: cursor === undefined ? isOwn : `${isOwn} AND #id > :cursor`,
          ExpressionAttributeNames: { '#owner': 'owner', ...(cursor === undefined ? {} : { '#id': 'functionId' }) },
          ExpressionAttributeValues: { ':owner': owner, ...(cursor === undefined ? {} : { ':cursor': cursor }) },
        },
      );
      for await (const { Items = [] } of pages) {
        first = [...first, ...this.#records(Items)].sort(byId).slice(0, limit + 1);
      }
    });
    return first;
  }

  async #query({ owner, limit, cursor }: ListQuery, IndexName: string): Promise<FunctionRecord[]> {
    const found: FunctionRecord[] = [];
    await this.#table.request('Listing the functions of', async (client) => {
      const pages = paginateQuery(
        { client, pageSize: limit + 1 },
        {
          TableName: this.#table.name,
          IndexName,
          KeyConditionExpression: cursor === undefined ? '#owner = :owner' : '#owner = :owner AND #id > :cursor',
          ExpressionAttributeNames: { '#owner': 'owner', ...(cursor === undefined ? {} : { '#id': 'functionId' }) },
          ExpressionAttributeValues: { ':owner': owner, ...(cursor === undefined ? {} : { ':cursor': cursor }) },
        },
      );
      for await (const { Items = [] } of pages) {
        found.push(...this.#records(Items));
        if (found.length > limit) return;
      }
    });
    return found;
  }

  #records(items: readonly Item[]): FunctionRecord[] {
    return items.flatMap((item) => {
      const record = recordOf(item);
      if (record !== undefined) return [record];
      this.#log.warn({ functionId: item.functionId }, 'an item of the table is no function: it has no runtime');
      return [];
    });
  }
}

/** Ids are ASCII: the order of DynamoDB's own keys. */
function byId(a: FunctionRecord, b: FunctionRecord): number {
  return a.functionId < b.functionId ? -1 : 1;
}

/** Sets each attribute and removes those without a value; what others keep in the item stays. */
function updateOf(attributes: Record<string, unknown>, versionBefore: number) {
  const all = Object.entries(attributes);
  const names = Object.fromEntries(all.map(([name], at) => [`#a${at}`, name]));
  const set = all.flatMap(([, value], at) => (value === undefined ? [] : [`#a${at} = :a${at}`]));
  const remove = all.flatMap(([, value], at) => (value === undefined ? [`#a${at}`] : []));
  const values = Object.fromEntries(all.flatMap(([, value], at) => (value === undefined ? [] : [[`:a${at}`, value]])));
  const expected = versionBefore === 0 ? {} : { ':before': versionBefore };
  return {
    UpdateExpression: `SET ${set.join(', ')}${remove.length === 0 ? '' : ` REMOVE ${remove.join(', ')}`}`,
    ConditionExpression: conditionFor(versionBefore),
    ExpressionAttributeNames: {
      ...names,
      '#key': 'functionId',
      ...(versionBefore === 0 ? {} : { '#version': 'version' }),
    },
    ExpressionAttributeValues: { ...values, ...expected },
  };
}

function conditionFor(versionBefore: number): string {
  if (versionBefore === 0) return 'attribute_not_exists(#key)';
  // One that an older controller wrote counts as version 1.
  const isOld = versionBefore === 1 ? ' OR attribute_not_exists(#version)' : '';
  return `attribute_exists(#key) AND (#version = :before${isOld})`;
}
