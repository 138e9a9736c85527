/** The emulator of DynamoDB: dynalite, in a process of its own. Owns the process. */

import { createRequire } from 'node:module';
import { startChild } from './child-service.js';
import { withFreePorts } from './free-port.js';

export interface DynamoEmulator {
  /** `http://127.0.0.1:…` */
  readonly endpoint: string;
  /** Idempotent. What was stored is gone. */
  readonly close: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

/** Quirk: it does not say which item refused a condition. */
export function startDynalite(): Promise<DynamoEmulator> {
  const script = createRequire(import.meta.url).resolve('dynalite/cli.js');
  return withFreePorts(1, async (port) => {
    // A new table is ready at once.
    const args = [script, '--host', '127.0.0.1', '--port', `${port}`, '--createTableMs', '0'];
    const { stop } = await startChild(process.execPath, args, { ready: /listening at: / });
    return { endpoint: `http://127.0.0.1:${port}`, close: stop, [Symbol.asyncDispose]: stop };
  });
}
