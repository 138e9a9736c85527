/** Asks a collector whether it takes traces, for `nanogrid doctor`. Owns no state. */

import { NanoGridError } from '@nanogrid/core';

/** One sentence of what was found. Throws where the collector takes nothing. */
export async function diagnoseCollector(
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string> {
  const request = { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, signal };
  const hint = 'Look at endpoint and headers of opentelemetry(), and whether the collector takes OTLP over HTTP.';
  const answer = await fetch(url, { ...request, body: '{"resourceSpans":[]}' }).catch((cause: unknown) => {
    throw new NanoGridError('NG_CONFIG_INVALID', `The collector at ${url} cannot be reached.`, { cause, hint });
  });
  await answer.body?.cancel();
  if (answer.ok) return `The collector at ${url} takes traces.`;
  throw new NanoGridError('NG_CONFIG_INVALID', `The collector at ${url} answers with ${answer.status}.`, { hint });
}
