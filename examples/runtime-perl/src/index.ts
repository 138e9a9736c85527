/** The Perl runtime: the image is Debian's own, which has a Perl. */

import { defineRuntime, type Runtime } from '@nanogrid/core';

export interface PerlOptions {
  /** Another image with a `perl`; used unmodified. Default `debian:trixie-slim`. */
  readonly image?: string;
  /** Idle containers that wait. Default 1. */
  readonly poolSize?: number;
}

/** The runtime, for `runtimes` of the configuration. */
export function perl(options: PerlOptions = {}): Runtime {
  return defineRuntime({
    name: 'perl',
    aliases: ['perl5', 'perl5.*'],
    image: options.image ?? 'debian:trixie-slim',
    version: '5.40',
    entrypoints: ['main.pl'],
    run: ['perl', '{entrypoint}'],
    pool: { size: options.poolSize ?? 1 },
  });
}

export default perl;
