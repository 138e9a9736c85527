/** Makes the calls of its input, one after the other or all at once, and tells what came of each. */

import { readFileSync } from 'node:fs';
import { AiError, chat, generate } from 'nanogrid-ai';

async function call({ path, leaveAfter, cancelAfterMs, ...options }) {
  const endpoint = path === undefined ? undefined : process.env.AI_ENDPOINT + path;
  const signal = cancelAfterMs === undefined ? undefined : AbortSignal.timeout(cancelAfterMs);
  let pieces = 0;
  try {
    let answer = await (options.messages ? chat : generate)({ ...options, endpoint, signal });
    if (options.stream) {
      const stream = answer;
      for await (const _ of stream) if (++pieces === leaveAfter) return { pieces };
      answer = stream.answer;
    }
    const { text, model, promptTokens, completionTokens } = answer;
    return { text, model, promptTokens, completionTokens, pieces };
  } catch (error) {
    if (!(error instanceof AiError)) throw error;
    return { error: error.code, status: error.status ?? null, pieces, message: error.message };
  }
}

const { calls, atOnce, env, folder } = JSON.parse(readFileSync(0, 'utf8'));
Object.assign(process.env, env);
if (folder) process.chdir(folder);
const ends = [];
if (atOnce) ends.push(...(await Promise.all(calls.map(call))));
else for (const one of calls) ends.push(await call(one));
console.log(JSON.stringify(ends));
