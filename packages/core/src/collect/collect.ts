/** The last of the collecting: waits for the output files to be stored and notes them on the result. */

import type { PhaseClock } from '../publish/phase-clock.js';
import type { JobResult } from '../result.js';
import type { OutputCollector } from './output-collector.js';

/** Throws `NG_OUTPUT_STORE_FAILED`: success is never reported with files missing. */
export async function collect(result: JobResult, outputs: OutputCollector, clock: PhaseClock): Promise<JobResult> {
  const { urls, errors, overLimit } = outputs.finishNow() ?? (await outputs.finish());
  clock.end('collect');
  if (urls.length === 0 && errors.length === 0 && result.outputFiles.length === 0) return result;
  const complete: JobResult = { ...result, outputFiles: urls };
  if (errors.length > 0) complete.outputErrors = errors;
  if (overLimit !== undefined && result.status === 'SUCCESS') {
    complete.status = 'FAILED';
    complete.errorCode = 'NG_OUTPUT_LIMIT';
    complete.errorMessage = `output files were not stored: ${JSON.stringify(overLimit.path)}: ${overLimit.reason}`;
  }
  return complete;
}
