/** What one case of the kit is. Owns no state. */

import type { Feature } from './kit-options.js';
import type { KitWorker } from './kit-worker.js';

export interface CaseDefinition {
  /** Stable and short, for instance `input`. */
  readonly id: string;
  /** One sentence that is true of a runtime that passes. */
  readonly name: string;
  /** The case applies only where the runtime has this. */
  readonly needs?: Feature;
  run(kit: KitWorker): Promise<void>;
}
