/** The fast emulator of SQS and S3: fauxqs, in a process of its own. Owns the process. */

import { fileURLToPath } from 'node:url';
import { startChild } from './child-service.js';
import { compiled } from './places.js';

/** An emulator of AWS services. */
export interface AwsEmulator {
  readonly name: 'fauxqs' | 'moto';
  /** `http://127.0.0.1:…`, for every service that it has. */
  readonly endpoint: string;
  readonly host: '127.0.0.1';
  readonly port: number;
  /** Idempotent. What was stored is gone. */
  readonly close: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

/** SQS and S3. Quirks: no versions and no conditional writes in S3; it takes any receipt handle. */
export async function startFauxqs(): Promise<AwsEmulator> {
  const script = fileURLToPath(compiled('./fauxqs-process.js'));
  const service = await startChild(process.execPath, [script], { ready: /listening on \d+\n/, ipc: true });
  const port = Number(/listening on (\d+)/.exec(service.output())?.[1]);
  const host = '127.0.0.1';
  return {
    name: 'fauxqs',
    endpoint: `http://${host}:${port}`,
    host,
    port,
    close: service.stop,
    [Symbol.asyncDispose]: service.stop,
  };
}
