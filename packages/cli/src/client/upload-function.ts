/** Sends a function to a controller: its code and what is to be known of it. Owns no state. */

import { join } from 'node:path';
import type { Code } from '../code/read-code.js';
import type { Invocation } from '../invocation.js';
import { makeScratch } from '../scratch.js';
import { UploadProgress } from '../ui/upload-progress.js';
import type { ApiClient } from './api-client.js';
import type { FunctionFile } from './function-file.js';
import { multipartBody } from './multipart.js';
import type { ServerFunction } from './resolve-function.js';

/** `functionId` is the function that gets a new version; without one a new function is made. Throws as `ApiClient.call` does. */
export async function uploadFunction(
  { io }: Pick<Invocation, 'io'>,
  api: ApiClient,
  code: Code,
  settings: FunctionFile,
  functionId?: string,
): Promise<ServerFunction> {
  const fields = fieldsOf(settings, functionId);
  const scratch = await makeScratch(io);
  const progress = new UploadProgress(io.stderr);
  try {
    const path = await code.bytes(join(scratch.path, 'code.zip'), io.interruption.signal);
    const name = code.keyName === 'code.zip' ? 'code.zip' : (code.names[0] ?? code.keyName);
    const { headers, body, sizeBytes } = await multipartBody(fields, { path, name }, (sent) =>
      progress.update(sent, sizeBytes),
    );
    const answer = await api.call('POST', '/upload', { headers, body });
    return answer.body as ServerFunction;
  } finally {
    progress.end();
    await scratch.remove();
  }
}

function fieldsOf(settings: FunctionFile, functionId: string | undefined): Record<string, string> {
  const { name, runtime, handler, timeout, memory_mb, env = {} } = settings;
  const fields = {
    function_name: name,
    runtime,
    handler,
    timeout,
    memory_mb,
    env: Object.keys(env).length === 0 ? undefined : JSON.stringify(env),
    function_id: functionId,
  };
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([field, value]) => [field, String(value)]));
}
