/** Says why an address cannot be listened on. Owns no state. */

import { NanoGridError } from '@nanogrid/core';

/** What went wrong with listening, as one sentence with what to do. */
export function listenError(cause: unknown, host: string, port: number): NanoGridError {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'EADDRINUSE') {
    return new NanoGridError('NG_PORT_IN_USE', `The port ${port} on ${host} is in use by another program.`, {
      cause,
      hint: 'Is a worker running here already? Stop it, or set another "http.port" in the configuration (0 takes a free one).',
    });
  }
  const reason = code === 'EACCES' ? 'this user may not use that port' : (cause as Error).message;
  return new NanoGridError('NG_CONFIG_INVALID', `The worker cannot listen on ${host}, port ${port}: ${reason}.`, {
    cause,
    hint: 'Set "http.host" to an address of this machine and "http.port" to a port above 1023.',
  });
}
