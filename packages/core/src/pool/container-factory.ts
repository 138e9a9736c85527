/** Makes containers for the pool: knows images, the supervisor's volume, names and labels. Owns what `prepare` found. */

import { randomBytes } from 'node:crypto';
import type { CoreConfig } from '../config/core-config.js';
import { NanoGridError } from '../errors.js';
import type { ImageProgress } from '../images/image-progress.js';
import type { ImageStore } from '../images/image-store.js';
import type { Logger } from '../logger.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Container } from './container.js';
import type { ContainerEngine } from './container-engine.js';
import { containerSpec } from './container-spec.js';
import { LABELS, type WorkerIdentity } from './worker-identity.js';

export interface ContainerFactoryOptions {
  readonly engine: ContainerEngine;
  readonly images: ImageStore;
  readonly config: CoreConfig;
  readonly identity: WorkerIdentity;
  readonly log: Logger;
  readonly onProgress: ((progress: ImageProgress) => void) | undefined;
}

export class ContainerFactory {
  readonly #options: ContainerFactoryOptions;
  readonly #images = new Map<string, string>();
  #supervisorVolume = '';
  /** Several workers may live in one process. */
  readonly #tag = randomBytes(3).toString('hex');
  #serial = 0;

  constructor(options: ContainerFactoryOptions) {
    this.#options = options;
  }

  /** Makes sure of the supervisor and of every runtime's image, side by side. Throws `NG_IMAGE_FAILED`. */
  async prepare(runtimes: readonly Runtime[], signal: AbortSignal): Promise<void> {
    const { images, onProgress } = this.#options;
    const [volume] = await Promise.all([
      images.ensureSupervisor({ signal, ...(onProgress && { onProgress }) }),
      ...runtimes.map(async (runtime) => {
        const { tag } = await images.ensure(runtime, { signal, ...(onProgress && { onProgress }) });
        this.#images.set(runtime.name, tag);
      }),
    ]);
    this.#supervisorVolume = volume.name;
  }

  /** A name that no other container of any worker has. */
  name(runtime: Runtime): string {
    const { identity } = this.#options;
    const [pid] = identity.process.split('.');
    return `nanogrid-${runtime.name}-${pid}-${this.#tag}-${++this.#serial}`;
  }

  /** Starts a container of the pool. */
  async start(runtime: Runtime, container: Container): Promise<void> {
    const { engine, config, identity } = this.#options;
    const image = this.#images.get(runtime.name);
    if (image === undefined) throw new NanoGridError('NG_INTERNAL', `the image of ${runtime.name} was not prepared`);
    const spec = containerSpec({
      runtime,
      image,
      memoryMb: runtime.limits?.memoryMb ?? config.job.memoryMb,
      name: container.name,
      labels: {
        [LABELS.role]: 'job',
        [LABELS.host]: identity.host,
        [LABELS.process]: identity.process,
        [LABELS.runtime]: runtime.name,
      },
      supervisorVolume: this.#supervisorVolume,
      config,
    });
    await container.start(engine, spec);
  }
}
