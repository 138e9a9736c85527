/** Makes sure that the image of a runtime is on the engine: there already, pulled, or built from its folder. Owns no state. */

import type Docker from 'dockerode';
import { ensureBaseImage } from './base-image.js';
import type { BuildContext } from './build-context.js';
import { buildImage } from './build-image.js';
import { dockerfileBases } from './dockerfile-bases.js';
import { imageFailure } from './image-errors.js';
import type { ImageProgress, ProgressListener } from './image-progress.js';
import { type ImageSource, resolveImage } from './image-reference.js';
import { inspectImage } from './inspect-image.js';
import { withPackageFiles } from './package-files.js';
import { pullImage } from './pull-image.js';
import { SharedWork } from './shared-work.js';

export interface EnsureImageOptions {
  readonly onProgress?: ProgressListener;
  /** Gives up when aborted; work that others share goes on for them. */
  readonly signal?: AbortSignal;
  /** Pulls or builds anew even where the image is there. Default false. */
  readonly rebuild?: boolean;
  /** Absolute folder that keeps what is fetched of packages. Default: nothing is kept. */
  readonly packageDirectory?: string | undefined;
  /** Calls with the same one share their builds. `ImageStore` holds it; default: nothing is shared. */
  readonly shared?: SharedWork<ImageProgress>;
}

/** An image that is on the engine. */
export interface EnsuredImage {
  /** What to name in a container's configuration. */
  readonly tag: string;
  /** `sha256:…`. */
  readonly id: string;
}

/**
 * Makes sure that a runtime's image exists. Throws `NG_IMAGE_FAILED` with the reason and what to do,
 * `NG_DOCKER_UNAVAILABLE` where the engine cannot be reached, or the signal's reason.
 */
export async function ensureImage(
  docker: Docker,
  source: ImageSource,
  options: EnsureImageOptions = {},
): Promise<EnsuredImage> {
  const { rebuild = false, packageDirectory: directory, shared = new SharedWork<ImageProgress>() } = options;
  options.signal?.throwIfAborted();
  const { tag, context } = await resolveImage(source);
  if (!rebuild) {
    const id = await inspectImage(docker, tag);
    if (id !== undefined) return { tag, id };
  }
  return shared.run(`${rebuild ? 'rebuild' : 'ensure'} ${tag}`, options, async (signal, onProgress) => {
    if (context === undefined) await pullImage(docker, tag, { signal, onProgress });
    else {
      await withPackageFiles(docker, context, { tag, directory, signal, onProgress }, async (whole) => {
        await ensureBases(docker, whole, shared, { signal, onProgress });
        await buildImage(docker, tag, whole, { runtime: source.name, signal, onProgress, noCache: rebuild });
      });
    }
    const id = await inspectImage(docker, tag);
    if (id !== undefined) return { tag, id };
    throw imageFailure(`The image ${tag} is missing`, 'it was removed while it was being made', 'Try again.');
  });
}

async function ensureBases(
  docker: Docker,
  context: BuildContext,
  shared: SharedWork<ImageProgress>,
  options: { readonly signal: AbortSignal; readonly onProgress: ProgressListener },
): Promise<void> {
  for (const base of dockerfileBases(context.dockerfile)) {
    await shared.run(`base ${base}`, options, (signal, onProgress) =>
      ensureBaseImage(docker, base, { signal, onProgress }),
    );
  }
}
