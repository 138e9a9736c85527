/** Names images: a runtime's image is either one that exists elsewhere, or one whose tag is the digest of its build folder. Owns no state. */

import type { ImageBuild, Runtime } from '../runtime/runtime.js';
import { type BuildContext, readBuildContext } from './build-context.js';

/** The part of a runtime that decides its image. */
export type ImageSource = Pick<Runtime, 'name' | 'image'>;

/** An image by name, and the context it is built from where it is built here. */
export interface ImageReference {
  readonly tag: string;
  readonly context: BuildContext | undefined;
}

/** Resolves a runtime's image, reading its build folder. Throws `NG_IMAGE_FAILED` where that cannot be used. */
export async function resolveImage(source: ImageSource): Promise<ImageReference> {
  if (typeof source.image === 'string') return { tag: source.image, context: undefined };
  const name = imageName(source.name, source.image);
  const context = await readBuildContext(source.image.context, name, source.image.files);
  return { tag: `${name}:${context.digest.slice(0, 12)}`, context };
}

/**
 * The image that a runtime's containers are made from: the name it gives, or `nanogrid/<runtime>:<12 hex digits>` of
 * its build folder's content, so that a changed folder is a new image.
 */
export async function imageTag(runtime: ImageSource): Promise<string> {
  return (await resolveImage(runtime)).tag;
}

function imageName(runtime: string, build: ImageBuild): string {
  return build.name ?? `nanogrid/${runtime}`;
}
