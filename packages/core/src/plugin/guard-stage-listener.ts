/** Keeps what a plugin does as a stage ends from touching the job. Owns whether its fault was told. */

import type { Logger } from '../logger.js';
import type { StageListener } from '../stage.js';

/** `listener`, which cannot throw; its first error is logged, the rest would be one line for each stage of each job. */
export function guardStageListener(listener: StageListener, log: Logger): StageListener {
  let told = false;
  return (end) => {
    try {
      listener(end);
    } catch (error) {
      if (!told) log.error({ err: error, stage: end.stage }, 'a listener of stages failed; told once');
      told = true;
    }
  };
}
