/** Makes the table of functions where there is none. Owns no state. */

import { CreateTableCommand, waitUntilTableExists } from '@aws-sdk/client-dynamodb';
import type { Table } from './table.js';

/** How long a new table may take until it can be used, in seconds: less than a start may take. */
const WAIT_S = 25;

/** Resolves when the table can be used; one that exists is left as it is. Throws `NG_REGISTRY_FAILED`. */
export async function createTable(table: Table, ownerIndex: string | undefined): Promise<void> {
  const command = new CreateTableCommand({
    TableName: table.name,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [
      { AttributeName: 'functionId', AttributeType: 'S' },
      ...(ownerIndex === undefined ? [] : [{ AttributeName: 'owner', AttributeType: 'S' as const }]),
    ],
    KeySchema: [{ AttributeName: 'functionId', KeyType: 'HASH' }],
    ...(ownerIndex === undefined ? {} : { GlobalSecondaryIndexes: [byOwner(ownerIndex)] }),
  });
  const exists = 'ResourceInUseException';
  await table
    .request('Making', (client) => client.send(command), exists)
    .catch((error: Error) => {
      if (error.name !== exists) throw error;
    });
  await table.request('Waiting for', (client) =>
    waitUntilTableExists({ client, maxWaitTime: WAIT_S, minDelay: 0.1, maxDelay: 2 }, { TableName: table.name }),
  );
}

function byOwner(IndexName: string) {
  return {
    IndexName,
    KeySchema: [
      { AttributeName: 'owner', KeyType: 'HASH' as const },
      { AttributeName: 'functionId', KeyType: 'RANGE' as const },
    ],
    Projection: { ProjectionType: 'ALL' as const },
  };
}
