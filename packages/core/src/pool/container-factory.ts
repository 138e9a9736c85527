/** Makes containers for the pool: knows images, the supervisor's volume, names and labels. Owns what `prepare` found. */

import { randomBytes } from 'node:crypto';
import type { CoreConfig } from '../config/core-config.js';
import { NanoGridError } from '../errors.js';
import type { EnsuredImage } from '../images/ensure-image.js';
import type { ImageProgress } from '../images/image-progress.js';
import type { ImageStore } from '../images/image-store.js';
import { supervisorPaths } from '../images/supervisor-volume.js';
import type { Logger } from '../logger.js';
import { Egress } from '../network/egress.js';
import type { Runtime } from '../runtime/runtime.js';
import { Container } from './container.js';
import type { ContainerEngine, HostNetworkSpec } from './container-engine.js';
import { containerSpec } from './container-spec.js';
import { LABELS, type WorkerIdentity } from './worker-identity.js';

export interface ContainerFactoryOptions {
  readonly engine: ContainerEngine;
  readonly images: ImageStore;
  readonly config: CoreConfig;
  readonly identity: WorkerIdentity;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  now(): number;
  readonly onProgress: ((progress: ImageProgress) => void) | undefined;
}

export class ContainerFactory {
  readonly #options: ContainerFactoryOptions;
  readonly #images = new Map<string, EnsuredImage>();
  readonly #closing = new AbortController();
  readonly #egress: Egress;
  #supervisorVolume = '';
  /** Several workers may live in one process. */
  readonly #tag = randomBytes(3).toString('hex');
  #serial = 0;

  constructor(options: ContainerFactoryOptions) {
    this.#options = options;
    const { engine, config, now } = options;
    this.#egress = new Egress({ engine, settings: config.network, addressesSpec: () => this.#addressesSpec(), now });
  }

  /** Makes sure of the supervisor and of these runtimes' images, side by side. Throws `NG_IMAGE_FAILED`. */
  async prepare(runtimes: readonly Runtime[], signal: AbortSignal): Promise<void> {
    const { images, onProgress } = this.#options;
    const [volume] = await Promise.all([
      images.ensureSupervisor({ signal, ...(onProgress && { onProgress }) }),
      ...runtimes.map((runtime) => this.image(runtime, signal)),
    ]);
    this.#supervisorVolume = volume.name;
  }

  /** The image of a runtime, made where it is missing: one that `prepare` was not asked for is made when it is needed. Throws `NG_IMAGE_FAILED`. */
  async image(runtime: Runtime, signal: AbortSignal = this.#closing.signal): Promise<EnsuredImage> {
    const known = this.#images.get(runtime.name);
    if (known !== undefined) return known;
    const { images, onProgress } = this.#options;
    const image = await images.ensure(runtime, { signal, ...(onProgress && { onProgress }) });
    this.#images.set(runtime.name, image);
    return image;
  }

  /** Gives up the images that are being made. */
  close(): void {
    this.#closing.abort(new NanoGridError('NG_CONTAINER_FAILED', 'the worker is stopping'));
  }

  /** A name that no other container of any worker has. */
  name(runtime: Runtime): string {
    const { identity } = this.#options;
    const [pid] = identity.process.split('.');
    return `nanogrid-${runtime.name}-${pid}-${this.#tag}-${++this.#serial}`;
  }

  /**
   * Makes a container with the outside granted, and removes it: whether its bounds can be set here is known before any
   * job asks for it. Throws `NG_NETWORK_UNSAFE`.
   */
  async proveNetwork(runtime: Runtime): Promise<void> {
    const { config, log } = this.#options;
    const container = new Container(runtime, this.name(runtime), true, config.sandbox.diskMb, log, {
      onState: () => {},
    });
    try {
      await this.start(runtime, container);
    } catch (error) {
      if (error instanceof NanoGridError && error.code === 'NG_NETWORK_UNSAFE') throw error;
      throw NanoGridError.from(
        (error as Error).message,
        'NG_NETWORK_UNSAFE',
        'a container with a network cannot be made',
      );
    }
    await container.retire('it was made to see that it can be');
  }

  /** Starts a container of the pool. */
  async start(runtime: Runtime, container: Container): Promise<void> {
    const { engine, config } = this.#options;
    const { tag: image } = await this.#imageFor(runtime, container);
    const egress = container.outside ? await this.#egress.grant() : undefined;
    const spec = containerSpec({
      runtime,
      image,
      memoryMb: runtime.limits?.memoryMb ?? config.job.memoryMb,
      diskMb: container.diskMb,
      name: container.name,
      labels: this.#labels('job', runtime.name),
      supervisorVolume: this.#supervisorVolume,
      network: egress?.network,
      config,
    });
    await container.start(engine, spec, egress?.policy);
  }

  /** A container that gets no image is gone, as one that does not start. */
  async #imageFor(runtime: Runtime, container: Container): Promise<EnsuredImage> {
    try {
      return await this.image(runtime);
    } catch (error) {
      await container.retire('its image could not be made');
      throw error;
    }
  }

  #labels(role: string, runtime: string): Record<string, string> {
    const { host, process } = this.#options.identity;
    return {
      [LABELS.role]: role,
      [LABELS.host]: host,
      [LABELS.process]: process,
      [LABELS.runtime]: runtime,
    };
  }

  #addressesSpec(): HostNetworkSpec {
    const [[runtime, { tag: image }] = ['', { tag: '' }]] = this.#images;
    return {
      name: `nanogrid-addresses-${this.#tag}-${++this.#serial}`,
      image,
      command: [supervisorPaths().binary, 'addresses'],
      labels: this.#labels('probe', runtime),
      volumes: { [this.#supervisorVolume]: supervisorPaths().mountPoint },
    };
  }
}
