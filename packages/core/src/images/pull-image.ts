/** Pulls an image from its registry, with progress and without waiting for ever on one that is silent. Owns no state. */

import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { imageFailure } from './image-errors.js';
import { type ProgressListener, ProgressReader, readEngineEvents } from './image-progress.js';

export interface PullOptions {
  readonly signal: AbortSignal;
  readonly onProgress: ProgressListener;
  /** Gives up when the engine says nothing for so long, in milliseconds. Default 60,000. */
  readonly idleTimeoutMs?: number;
}

/** Pulls `image`. Throws `NG_IMAGE_FAILED` where no registry has it or answers, the signal's reason when aborted. */
export async function pullImage(docker: Docker, image: string, options: PullOptions): Promise<void> {
  const { signal, onProgress, idleTimeoutMs = 60_000 } = options;
  const idle = new AbortController();
  const silence = (): void => idle.abort(new Error(`the registry did not answer within ${idleTimeoutMs / 1000} s`));
  const timer = setTimeout(silence, idleTimeoutMs);
  const abortSignal = AbortSignal.any([signal, idle.signal]);
  const reader = new ProgressReader(image, 'pull');
  onProgress({ image, step: 'pull', message: `Asking the registry for ${image}` });
  try {
    const stream = await docker.pull(image, { abortSignal });
    for await (const event of readEngineEvents(stream as Readable)) {
      timer.refresh();
      if (event.error !== undefined) throw new Error(event.error);
      const progress = reader.read(event);
      if (progress !== undefined) onProgress(progress);
    }
  } catch (error) {
    signal.throwIfAborted();
    const cause = idle.signal.aborted ? idle.signal.reason : error;
    throw imageFailure(
      `The image ${image} could not be pulled`,
      cause,
      `Check the image's name and the engine's network, or load it yourself: docker pull ${image}`,
    );
  } finally {
    clearTimeout(timer);
  }
}
