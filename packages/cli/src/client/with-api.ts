/** Options of the commands that ask a controller, and the client made of them. Owns no state. */

import type { Command } from 'commander';
import type { Invocation } from '../invocation.js';
import { ApiClient } from './api-client.js';
import { type ConnectionOptions, findConnection } from './connection.js';

export function addConnectionOptions(command: Command): Command {
  return command
    .option('--server <url>', 'address of the controller; default: NANOGRID_SERVER, the profile, http://127.0.0.1:3000')
    .option('--api-key <key>', 'API key; default: NANOGRID_API_KEY, the profile of that server')
    .option('--profile <name>', 'profile to take both from; default: NANOGRID_PROFILE, the first that was set');
}

/** Says so where the key could be read on its way. Throws as `findConnection` does. */
export async function openApi({ io, ui }: Invocation, options: ConnectionOptions): Promise<ApiClient> {
  const connection = await findConnection(options, io);
  if (connection.inTheOpen) {
    const { origin } = connection.server;
    ui.note(ui.style.dim(`The API key crosses the network in the open to ${origin}; https:// would protect it.`));
  }
  return new ApiClient(connection, io.interruption.signal);
}
