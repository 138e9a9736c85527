/** One engine's images, as a worker or the command line uses them. Owns the builds that run now, which its callers share. */

import { join } from 'node:path';
import type Docker from 'dockerode';
import type { CoreConfig } from '../config/core-config.js';
import { type EnsuredImage, type EnsureImageOptions, ensureImage } from './ensure-image.js';
import type { ImageProgress } from './image-progress.js';
import { type ImageSource, imageTag } from './image-reference.js';
import { inspectImage } from './inspect-image.js';
import { SharedWork } from './shared-work.js';
import { ensureSupervisorVolume, type SupervisorVolume, type SupervisorVolumeOptions } from './supervisor-volume.js';

/** What is known of a runtime's image without making it. */
export interface ImageStatus {
  readonly runtime: string;
  readonly tag: string;
  /** `sha256:…`; undefined where the engine does not have the image yet. */
  readonly id: string | undefined;
}

export class ImageStore {
  readonly #docker: Docker;
  readonly #packageDirectory: string | undefined;
  readonly #shared = new SharedWork<ImageProgress>();
  readonly #volumes = new SharedWork<ImageProgress>();

  /** What npm fetches for images is kept in `packages` of the data folder; without one, nothing is kept. */
  constructor(docker: Docker, config?: Pick<CoreConfig, 'dataDir'>) {
    this.#docker = docker;
    this.#packageDirectory = config && join(config.dataDir, 'packages');
  }

  /** As `ensureImage`; calls for the same image at the same time share one pull or build. */
  ensure(
    source: ImageSource,
    options: Omit<EnsureImageOptions, 'shared' | 'packageDirectory'> = {},
  ): Promise<EnsuredImage> {
    const packageDirectory = this.#packageDirectory;
    return ensureImage(this.#docker, source, { ...options, packageDirectory, shared: this.#shared });
  }

  /** As `ensureSupervisorVolume`; calls at the same time share one installation. */
  ensureSupervisor(options: Omit<SupervisorVolumeOptions, 'shared'> = {}): Promise<SupervisorVolume> {
    const key = `supervisor ${options.force === true || options.rebuild === true}`;
    return this.#volumes.run(key, options, (signal, onProgress) =>
      ensureSupervisorVolume(this.#docker, { ...options, signal, onProgress, shared: this.#shared }),
    );
  }

  /** Whether a runtime's image is on the engine. */
  async status(source: ImageSource): Promise<ImageStatus> {
    const tag = await imageTag(source);
    return { runtime: source.name, tag, id: await inspectImage(this.#docker, tag) };
  }
}
