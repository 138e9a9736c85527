/** Cases of jobs that reach a limit, and of what a job cost. Owns no state. */

import type { CaseDefinition } from '../kit-case.js';

const MIB = 2 ** 20;
const HELD_MIB = 64;
/** What the job holds that the other is compared with: more than the kernel may have taken in advance. */
const BARE_MIB = 16;
/** Of the truth; and what pages that the kernel takes ahead, for each processor, and page tables may add. */
const TOLERANCE = 0.1;
const ALLOWANCE_MIB = 4;
/** Time for the language to start and print a line, on a busy machine too. */
const DEADLINE_MS = 4_000;
/** SIGTERM at the deadline, SIGKILL after the grace, and what a busy machine takes: the job would never end by itself. */
const DEAD_WITHIN_MS = 20_000;
/** Processes and threads of a container, which `sandbox.pids` bounds by default. */
const PIDS = 128;

export const LIMITS: readonly CaseDefinition[] = [
  {
    id: 'timeout',
    name: 'a job that hangs is ended at its deadline with all its processes, and the next is served',
    async run(kit) {
      const outcome = await kit.script('hang', { timeoutMs: DEADLINE_MS });
      outcome.expectFailure('NG_TIMEOUT', 'the operation "hang" of the script: it starts a process and neither ends');
      outcome.expect(outcome.result.stdout !== '', 'it printed a line before', 'the operation "hang" of the script');
      const { durationMs } = outcome.result;
      const limit = DEADLINE_MS + DEAD_WITHIN_MS;
      outcome.expect(durationMs <= limit, `it is dead within ${limit} ms`, `it took ${Math.round(durationMs)} ms`);
      (await kit.script('hello')).expectSuccess('what the job before left');
    },
  },
  {
    id: 'out-of-memory',
    name: 'a job that needs more memory than it may have is told as such, and the next is served',
    async run(kit) {
      const outcome = await kit.script('hold 400 1000', { memoryMb: 64 });
      outcome.expectFailure('NG_OUT_OF_MEMORY', 'the operation "hold" of the script: it must write to what it holds');
      (await kit.script('hello')).expectSuccess('what the job before left');
    },
  },
  {
    id: 'peak-memory',
    name: `the peak of a job that holds ${HELD_MIB} MiB is right within a tenth`,
    async run(kit) {
      const bare = await kit.script(`hold ${BARE_MIB} 100`);
      bare.expectSuccess('the operation "hold" of the script');
      const outcome = await kit.script(`hold ${HELD_MIB} 100`);
      outcome.expectSuccess('the operation "hold" of the script');
      const { peakMemoryBytes, peakMemorySource } = outcome.result;
      // Only the container's own counters know all of a job.
      if (peakMemorySource === 'rusage') return;
      const truth = bare.result.peakMemoryBytes / MIB + HELD_MIB - BARE_MIB;
      const peak = peakMemoryBytes / MIB;
      outcome.expect(
        Math.abs(peak - truth) <= truth * TOLERANCE + ALLOWANCE_MIB,
        `the peak is ${truth.toFixed(1)} MiB, within a tenth and ${ALLOWANCE_MIB} MiB`,
        `it is ${peak.toFixed(1)} MiB; "hold" must hold what it is asked to, once, and write to each page of it`,
      );
    },
  },
  {
    id: 'fork-bomb',
    name: 'a job that starts processes without end harms nobody else',
    async run(kit) {
      const outcome = await kit.script('fork-bomb', { timeoutMs: 10_000 });
      const { status, stdout } = outcome.result;
      outcome.expect(status !== 'ERROR', 'the job ends as SUCCESS or FAILED', 'the command in `run`, or the shim');
      const count = Number(stdout.trim().split('\n').at(-1));
      const bounded = Number.isInteger(count) && count >= 8 && count < PIDS;
      const look = 'the operation "fork-bomb" of the script: a line with their number for each that it started';
      outcome.expect(bounded, `the last line says that 8 to ${PIDS} processes were started`, look);
      (await kit.script('hello')).expectSuccess('what the job before left');
    },
  },
];
