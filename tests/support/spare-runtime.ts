/** A runtime of a language that cannot fork, as far as the worker knows: Perl on plain Debian, one spare process for each job. */

import { defineRuntime, type Runtime } from '@nanogrid/core';

/** `words` make the spare misbehave; `spare/spare.pl` knows them. */
export function spareRuntime(name = 'spare', ...words: string[]): Runtime {
  return defineRuntime({
    name,
    image: 'debian:trixie-slim',
    entrypoints: ['main.pl'],
    warm: {
      kind: 'spare',
      command: ['perl', '{shim}/spare.pl', ...words],
      files: { 'spare.pl': new URL('./spare/spare.pl', import.meta.url) },
      overheadMb: 16,
    },
    supports: { handlers: true },
  });
}
