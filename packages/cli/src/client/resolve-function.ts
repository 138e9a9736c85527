/** Finds functions of a controller by id or by name. Owns no state. */

import { NanoGridError } from '@nanogrid/core';
import type { ApiClient } from './api-client.js';

/** A function as the controller tells it, as far as the command line needs it. */
export interface ServerFunction {
  readonly [field: string]: unknown;
  readonly function_id: string;
  readonly function_name: string;
  readonly runtime: string;
  readonly version: number;
  readonly updated_at: string;
}

const PAGE = 1_000;
const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** All functions of the key's owner, a page at a time. Throws as `ApiClient.call` does. */
export async function* listFunctions(api: ApiClient): AsyncGenerator<ServerFunction> {
  let cursor: string | null = null;
  do {
    const more: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const { body } = await api.call('GET', `/functions?limit=${PAGE}${more}`);
    yield* body.functions as ServerFunction[];
    cursor = (body.cursor as string | null | undefined) ?? null;
  } while (cursor !== null);
}

/** The function of that name; undefined where there is none. Throws `NG_USAGE` where several have it. */
export async function findByName(api: ApiClient, name: string): Promise<ServerFunction | undefined> {
  const found: ServerFunction[] = [];
  for await (const fn of listFunctions(api)) if (fn.function_name === name) found.push(fn);
  if (found.length < 2) return found[0];
  const ids = found.map(({ function_id }) => function_id).join(', ');
  throw new NanoGridError('NG_USAGE', `Several functions have the name ${name}: ${ids}.`, {
    hint: 'Give the id of the one that is meant (deploy: --function-id).',
  });
}

/** By id where there is such a one, else by name. Throws `NG_NOT_FOUND` for neither. */
export async function findFunction(api: ApiClient, nameOrId: string): Promise<ServerFunction> {
  if (ID.test(nameOrId)) {
    const { status, body } = await api.call('GET', `/functions/${nameOrId}`, { accept: [404] });
    if (status === 200) return body as ServerFunction;
  }
  const found = await findByName(api, nameOrId);
  if (found !== undefined) return found;
  throw new NanoGridError('NG_NOT_FOUND', `${api.server} knows no function with the name or id ${nameOrId}.`, {
    hint: 'nanogrid functions ls shows those that there are; nanogrid deploy PATH makes one.',
  });
}
