/** Content type of an output file, from its name. */

import mime from 'mime';

const DEFAULT_TYPE = 'application/octet-stream';

/** The type that the name's extension stands for; `application/octet-stream` where it stands for none. */
export function contentType(path: string): string {
  return mime.getType(path) ?? DEFAULT_TYPE;
}
