/** What a worker's start does about the findings: tells the warnings, throws on the first failure. Owns no state. */

import { NanoGridError } from '../errors.js';
import type { Logger } from '../logger.js';
import type { Finding } from './finding.js';

/** Logs each warning. Throws `NG_ENGINE_UNSAFE` where anything failed, naming all of it. */
export function enforcePreflight(findings: readonly Finding[], log: Logger): void {
  for (const { name, status, found, hint } of findings) {
    if (status === 'warn') log.warn({ check: name, hint }, `container engine: ${name}: ${found}`);
  }
  const failed = findings.filter(({ status }) => status === 'fail');
  if (failed.length === 0) return;
  const told = failed.map(({ name, found }) => `${name}: ${found}`).join('; ');
  const hint = failed.find((finding) => finding.hint !== undefined)?.hint;
  throw new NanoGridError(
    'NG_ENGINE_UNSAFE',
    `This container engine is refused: ${told}`,
    hint === undefined ? {} : { hint },
  );
}
