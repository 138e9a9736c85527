/** Builds an image from its context with the engine's classic builder. Owns no state. */

import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { NanoGridError } from '../errors.js';
import { type BuildContext, packBuildContext } from './build-context.js';
import { imageFailure, LastLines, reasonOf } from './image-errors.js';
import { type ProgressListener, ProgressReader, readEngineEvents } from './image-progress.js';

export interface BuildOptions {
  /** Name of the runtime, kept as a label of the image. */
  readonly runtime: string;
  readonly signal: AbortSignal;
  readonly onProgress: ProgressListener;
  /** True builds every step anew. Default false: the engine's cache is used. */
  readonly noCache?: boolean;
}

/**
 * Builds `tag`. A build that is aborted or fails leaves no image of that name. Throws `NG_IMAGE_FAILED` with the step
 * that failed and the last lines of the build, the signal's reason when aborted.
 */
export async function buildImage(
  docker: Docker,
  tag: string,
  context: BuildContext,
  options: BuildOptions,
): Promise<void> {
  const { runtime, signal, onProgress, noCache = false } = options;
  const reader = new ProgressReader(tag, 'build');
  const lastLines = new LastLines();
  let failure: string | undefined;
  try {
    const stream = await docker.buildImage(packBuildContext(context), {
      t: tag,
      nocache: noCache,
      rm: true,
      forcerm: true,
      labels: { 'nanogrid.image': '1', 'nanogrid.runtime': runtime },
      abortSignal: signal,
    });
    for await (const event of readEngineEvents(stream as Readable)) {
      if (event.stream !== undefined) lastLines.add(event.stream);
      if (event.error !== undefined) failure = event.error;
      const progress = reader.read(event);
      if (progress !== undefined) onProgress(progress);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw imageFailure(`The image ${tag} could not be built`, error, hintFor(context));
  }
  if (failure !== undefined) {
    const step = reader.instruction === undefined ? '' : ` at the step \`${reader.instruction}\``;
    throw new NanoGridError(
      'NG_IMAGE_FAILED',
      `The image ${tag} could not be built${step}: ${reasonOf(failure)}${lastLines.toString()}`,
      { hint: hintFor(context) },
    );
  }
}

function hintFor(context: BuildContext): string {
  return `Correct what the last lines say, or try the build by hand: docker build ${context.directory}`;
}
