/** Removes containers that dead workers left behind. A container of a live worker, here or elsewhere, is never touched. */

import type { Logger } from '../logger.js';
import type { ContainerEngine } from './container-engine.js';
import { isDead, LABELS, type WorkerIdentity } from './worker-identity.js';

/** A container that was made elsewhere and never started is nobody's after so long. */
const ABANDONED_AFTER_S = 600;

/** Returns how many were removed. */
export async function sweepOrphans(engine: ContainerEngine, self: WorkerIdentity, log: Logger): Promise<number> {
  const nowS = Date.now() / 1000;
  const orphans = (await engine.list(LABELS.process)).filter(({ labels, state, createdAt }) => {
    if (isDead(labels, self)) return true;
    const elsewhere = labels[LABELS.host] !== self.host;
    return elsewhere && state !== 'running' && nowS - createdAt > ABANDONED_AFTER_S;
  });
  await Promise.all(
    orphans.map(async ({ id, name }) => {
      log.info({ container: name }, 'removing a container that a dead worker left behind');
      await engine.remove(id);
    }),
  );
  return orphans.length;
}
