/** Looks an image up on the engine. Owns no state. */

import type Docker from 'dockerode';
import { imageFailure } from './image-errors.js';

/** The image's id (`sha256:…`); undefined where the engine does not have it. Throws `NG_DOCKER_UNAVAILABLE`. */
export async function inspectImage(docker: Docker, image: string): Promise<string | undefined> {
  try {
    return (await docker.getImage(image).inspect()).Id;
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return undefined;
    throw imageFailure(`The image ${image} could not be looked up`, error, 'Ask the engine itself: docker info');
  }
}
