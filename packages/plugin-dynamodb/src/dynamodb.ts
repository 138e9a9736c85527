/** The plugin `dynamodb`: the registry of functions in a DynamoDB table. Owns no state but its registry. */

import { clientEnv, clientOptions } from '@nanogrid/aws-common';
import { definePlugin } from '@nanogrid/core';
import { createTable } from './create-table.js';
import { DynamoRegistry } from './dynamo-registry.js';
import { Table } from './table.js';

/** `plugins: [dynamodb({ tableName: 'NanoGridFunctions' })]`. Provides `registry`; only a controller uses it. */
export const dynamodb = definePlugin({
  name: '@nanogrid/plugin-dynamodb',
  version: '0.1.0',
  core: '^0.1.0',
  provides: ['registry'],
  env: { DYNAMODB_TABLE: 'tableName', ...clientEnv('DYNAMODB') },
  optionsSchema: {
    type: 'object',
    additionalProperties: false,
    properties: {
      ...clientOptions,
      tableName: {
        type: 'string',
        pattern: '^[A-Za-z0-9_.-]{3,255}$',
        default: 'NanoGridFunctions',
        description: 'Name of the table; its key is `functionId`, a string.',
      },
      ownerIndex: {
        type: 'string',
        pattern: '^[A-Za-z0-9_.-]{3,255}$',
        description:
          'Global secondary index by `owner` and `functionId` that lists of functions are read from. Default: the table is scanned.',
      },
      createTable: {
        type: 'boolean',
        default: false,
        description:
          'Whether a controller makes the table at its start where there is none, with `ownerIndex` where that is given.',
      },
    },
  },
  apply(host, options) {
    const { tableName, ownerIndex } = options;
    const table = new Table({ ...options, optionSource: host.optionSource });
    host.provide('registry', new DynamoRegistry({ table, ownerIndex, log: host.log }));
    host.diagnostic({
      name: `DynamoDB table ${tableName}`,
      run: (signal) => table.diagnose(signal),
    });
    // A worker that shares its configuration with controllers has no use for the table, and may not be allowed it.
    const serves = host.role === 'controller';
    host.lifecycle({
      async start() {
        if (serves && options.createTable) await createTable(table, ownerIndex);
      },
      async health() {
        if (serves) await table.check();
      },
      stop: () => table.close(),
    });
  },
});
