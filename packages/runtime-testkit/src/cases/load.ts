/** Cases of many jobs: in a row and at once. Owns no state. */

import type { CaseDefinition } from '../kit-case.js';
import { KitFailure } from '../kit-failure.js';
import type { KitWorker } from '../kit-worker.js';

const IN_A_ROW = 100;
const AT_ONCE = 20;
const MIB = 2 ** 20;
/** What the waiting process may hold more after so many jobs. */
const GROWTH_MIB = 8;

export const LOAD: readonly CaseDefinition[] = [
  {
    id: 'in-a-row',
    name: `${IN_A_ROW} jobs in a row are right and leave nothing: no container, no memory`,
    async run(kit) {
      const first = await kit.script('print 0');
      first.expectStdout('0\n', 'the operation "print" of the script');
      const id = await containerOf(kit);
      const before = await kit.processMemoryBytes(id);
      const count = (await kit.containerIds()).length;
      for (let i = 1; i < IN_A_ROW; i++) {
        const outcome = await kit.script(`print ${i}`);
        outcome.expectStdout(`${i}\n`, `this was job ${i + 1} in a row`);
        const { start } = outcome.result.phases;
        outcome.expect(start === 'reused', 'the container is used again', 'the shim: does it end, or leave a process?');
      }
      // One more may be the idle container that takes the place of one that was retired before.
      const made = (await kit.containerIds()).length - count;
      if (made > 1) throw new KitFailure(`${IN_A_ROW} jobs of one function made ${made} containers.`);
      const after = await kit.processMemoryBytes(id);
      const grownMib = ((after ?? 0) - (before ?? 0)) / MIB;
      if (grownMib > GROWTH_MIB) {
        const figures = `${grownMib.toFixed(1)} MiB, and ${GROWTH_MIB} MiB are allowed`;
        throw new KitFailure(`The container's own processes grew by ${figures}; look at what the shim keeps of a job.`);
      }
    },
  },
  {
    id: 'at-once',
    name: `${AT_ONCE} jobs at once all get their own answer`,
    async run(kit) {
      const jobs = Array.from({ length: AT_ONCE }, (_, i) => kit.script(`print ${i}`));
      for (const [i, outcome] of (await Promise.all(jobs)).entries()) {
        outcome.expectStdout(`${i}\n`, `this was one of ${AT_ONCE} jobs at once`);
      }
    },
  },
];

/** Id of the container that serves the script; a container's name for itself is the beginning of its id. */
async function containerOf(kit: KitWorker): Promise<string> {
  const outcome = await kit.script('read /proc/sys/kernel/hostname');
  const hostname = outcome.result.stdout.trim();
  const id = (await kit.containerIds()).find((candidate) => hostname !== '' && candidate.startsWith(hostname));
  outcome.expect(id !== undefined, 'it prints the name of its container', 'the operation "read" of the script');
  return id ?? '';
}
