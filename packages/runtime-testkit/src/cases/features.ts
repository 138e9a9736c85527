/** Cases of what only some runtimes have: handlers, kept handlers, builds. Owns no state. */

import type { CaseDefinition } from '../kit-case.js';
import { shown } from '../kit-failure.js';
import { FUNCTION_ID, KEPT_FUNCTION_ID } from '../kit-worker.js';

const VALUE = { text: 'Grüße, 世界 👋', list: [1, 2.5, null, true], nested: { empty: {} } };

export const FEATURES: readonly CaseDefinition[] = [
  {
    id: 'handler-value',
    name: 'a handler gets the event, and what it returns is the result',
    needs: 'handlers',
    async run(kit) {
      const outcome = await kit.handler({ op: 'value', value: VALUE });
      outcome.expectSuccess('the operation "value" of the handler');
      const same = shown(sorted(outcome.result.result)) === shown(sorted(VALUE));
      outcome.expect(same, `the result is ${shown(VALUE)}`, 'the shim: the value goes to descriptor 3, as JSON');
    },
  },
  {
    id: 'handler-context',
    name: 'a handler’s context has the job’s ids, memory limit and time left',
    needs: 'handlers',
    async run(kit) {
      const outcome = await kit.handler({ op: 'context' }, { memoryMb: 200, timeoutMs: 60_000 });
      outcome.expectSuccess('the operation "context" of the handler');
      const { remainingMs, ...rest } = (outcome.result.result ?? {}) as Record<string, unknown>;
      const wanted = { functionId: FUNCTION_ID, jobId: outcome.result.requestId, memoryMb: 200 };
      outcome.expect(shown(sorted(rest)) === shown(wanted), `the result has ${shown(wanted)}`, 'the shim: the context');
      const left = typeof remainingMs === 'number' && remainingMs > 0 && remainingMs <= 60_000;
      outcome.expect(left, 'remainingMs is more than 0 and at most 60,000', 'the shim: the time left, at the call');
    },
  },
  {
    id: 'handler-failure',
    name: 'a handler that fails is a failure, with its message on standard error',
    needs: 'handlers',
    async run(kit) {
      const outcome = await kit.handler({ op: 'fail', message: 'bad order' });
      outcome.expectFailure('NG_EXIT_CODE', 'the shim: a handler that fails ends the process with exit code 1');
      outcome.expect(outcome.result.stderr.includes('bad order'), 'the message is on standard error', 'the shim');
    },
  },
  {
    id: 'handler-fresh',
    name: 'a handler’s state is not there in the next job, unless it is kept',
    needs: 'handlers',
    async run(kit) {
      for (let job = 1; job <= 2; job++) {
        const outcome = await kit.handler({ op: 'count' });
        outcome.expect(
          outcome.result.result === 1,
          `the count is 1 in job ${job}`,
          'the shim: a fresh process for each job',
        );
      }
    },
  },
  {
    id: 'handler-kept',
    name: 'the state of a kept handler is there in the next job, and nothing else of a job is',
    needs: 'keptHandlers',
    async run(kit) {
      for (let job = 1; job <= 3; job++) {
        const outcome = await kit.handler({ op: 'count' }, { functionId: KEPT_FUNCTION_ID });
        outcome.expectSuccess('the operation "count" of the handler');
        outcome.expect(
          outcome.result.result === job,
          `the count is ${job}`,
          'the shim: the keep field of RUN, and END',
        );
      }
      const outcome = await kit.handler({ op: 'context' }, { functionId: KEPT_FUNCTION_ID });
      const { jobId } = (outcome.result.result ?? {}) as Record<string, unknown>;
      const own = jobId === outcome.result.requestId;
      outcome.expect(own, `jobId is ${outcome.result.requestId}`, 'the shim: context and environment of each RUN');
    },
  },
  {
    id: 'build-error',
    name: 'code that does not compile is a failure with what the compiler said, and the next job is served',
    needs: 'build',
    async run(kit) {
      const outcome = await kit.run(kit.functions.broken ?? {});
      outcome.expectFailure('NG_BUILD_FAILED', '`build`: a command that ends with another exit code than 0');
      outcome.expect(outcome.result.stderr !== '', 'standard error has what the compiler said', '`build`');
      (await kit.script('hello')).expectSuccess('`build`, and what the job before left');
    },
  },
];

/** With the keys of each object in order, so that two values can be compared as text. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort()
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
