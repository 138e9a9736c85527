/** The emulator fauxqs as a process of its own, on loopback; says its port, and ends with the process that started it. */

import type { AddressInfo } from 'node:net';
import { buildApp } from 'fauxqs';

const app = buildApp({ logger: false });
// It waits for long polls else, which may take 20 s.
process.once('disconnect', () => process.exit());
process.once('SIGTERM', () => process.exit());
await app.listen({ host: '127.0.0.1', port: 0 });
const [address] = app.addresses() as AddressInfo[];
process.stdout.write(`listening on ${address?.port}\n`);
