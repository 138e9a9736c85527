/** Where these files lie as sources and as compiled, whichever of them runs. Owns no state. */

const sources = new URL('.', import.meta.url).href.replace('/.build/tests/', '/tests/');

/** A file beside the sources. */
export function source(path: string): URL {
  return new URL(path, sources);
}

/** A compiled file, for a process of its own. */
export function compiled(path: string): URL {
  return new URL(path, sources.replace(/\/tests\/(?=support\/services\/$)/, '/.build/tests/'));
}
