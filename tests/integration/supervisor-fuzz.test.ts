/** Fuzzing of what the supervisor makes of the worker's bytes, under the sanitizers for addresses and undefined behaviour. */

import { expect, test } from 'vitest';
import { explainCrashes, fuzzSupervisor, supervisorSources } from '../support/supervisor-fuzz.js';

/** Longer by hand: NANOGRID_FUZZ_SECONDS=3600. */
const SECONDS = Number(process.env.NANOGRID_FUZZ_SECONDS ?? 10);

test('no stream of bytes breaks the decoding of frames, requests and their order', {
  timeout: (SECONDS + 300) * 1000,
}, async () => {
  const report = await fuzzSupervisor(await supervisorSources(), SECONDS);
  if (report.crashes.length > 0) throw new Error(explainCrashes(report));
  // That it ran at all; how many there are is the machine's affair.
  expect(report.executions, report.output.slice(-2000)).toBeGreaterThan(1_000);
});

test('a length that is not checked is found, and the input is told', async () => {
  const sources = await supervisorSources();
  const check = '  if (length > rest->length - 5) return refuse(problem, "field longer than its frame");\n';
  const fields = String(sources['fields.c']);
  expect(fields.split(check)).toHaveLength(2);
  const report = await fuzzSupervisor({ ...sources, 'fields.c': fields.replace(check, '') }, SECONDS);
  expect(report.crashes).toHaveLength(1);
  expect(explainCrashes(report)).toMatch(/AddressSanitizer[\s\S]+Input as hex: [0-9a-f]{20,}\n/);
});
