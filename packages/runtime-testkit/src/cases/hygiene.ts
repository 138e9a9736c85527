/** Cases of what one job may see and leave: privileges, files, processes. Owns no state. */

import type { CaseDefinition } from '../kit-case.js';
import { shown } from '../kit-failure.js';
import type { KitWorker } from '../kit-worker.js';

const PLACES = ['/function', '/tmp', '/var/tmp', '/dev/shm', '/output'];

/** Whether a job of the script can read the file. */
async function canRead(kit: KitWorker, path: string): Promise<boolean> {
  const outcome = await kit.script(`read ${path}`);
  const { exitCode } = outcome.result;
  outcome.expect(
    exitCode === 0 || exitCode === 1,
    'the exit code is 0, or 1 where it cannot be read',
    'the operation "read"',
  );
  return exitCode === 0;
}

export const HYGIENE: readonly CaseDefinition[] = [
  {
    id: 'privileges',
    name: 'a job is not root, has no capability and cannot gain any',
    async run(kit) {
      const outcome = await kit.script('read /proc/self/status');
      outcome.expectSuccess('the operation "read" of the script');
      const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(outcome.result.stdout)?.[1]?.trim();
      const shim = 'a shim: before any user code it must drop to the user NANOGRID_UID, with no further groups';
      const ids = `${field('Uid')} ${field('Gid')}`.split(/\s+/);
      outcome.expect(ids.length === 8 && ids.every((id) => Number(id) > 0), 'neither user nor group is root', shim);
      const groups = (field('Groups') ?? '').split(' ').filter((group) => group !== '' && group !== ids[4]);
      outcome.expect(groups.length === 0, 'it has no further groups', shim);
      for (const name of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) {
        outcome.expect(/^0+$/.test(field(name) ?? ''), `${name} is empty`, shim);
      }
      outcome.expect(field('NoNewPrivs') === '1', 'NoNewPrivs is 1', 'the worker’s settings');
    },
  },
  {
    id: 'leftovers',
    name: 'files that a job leaves are invisible to the next',
    async run(kit) {
      const left = await kit.script('leave');
      left.expectSuccess('the operation "leave" of the script');
      const outputs = Object.keys(await kit.outputs(left));
      left.expect(shown(outputs) === '["left"]', 'it left /output/left', `the output files are ${shown(outputs)}`);
      for (const place of PLACES) {
        const next = await kit.script(`read ${place}/left`);
        next.expect(
          next.result.exitCode === 1,
          `${place}/left is not there: the exit code of "read" is 1`,
          'the operation "read"',
        );
        next.expect(
          next.result.phases.start === 'reused',
          'the container is used again',
          '`limits`, or what retired it',
        );
      }
    },
  },
  {
    id: 'daemons',
    name: 'processes that a job leaves are gone before the next',
    async run(kit) {
      const outcome = await kit.script('daemon');
      outcome.expectSuccess('the operation "daemon" of the script');
      const pid = Number(outcome.result.stdout.trim());
      outcome.expect(
        Number.isInteger(pid) && pid > 1,
        'it prints the process id of the daemon',
        'the operation "daemon"',
      );
      // Of what is alive it can read the same file: so a file that is not there means a process that is not.
      const reads = await canRead(kit, '/proc/self/status');
      outcome.expect(reads, 'a job can read /proc/self/status', 'the operation "read" of the script');
      const alive = await canRead(kit, `/proc/${pid}/status`);
      outcome.expect(
        !alive,
        `the process ${pid} is gone at the next job`,
        'the shim: a job ends with its main process',
      );
    },
  },
];
