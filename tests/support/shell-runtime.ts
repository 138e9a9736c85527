/** A runtime as a third party writes it: an image with nothing of ours in it, and the shell. */

import { defineRuntime } from '@nanogrid/core';

export const shell = defineRuntime({
  name: 'shell',
  aliases: ['sh', 'bash'],
  image: 'debian:trixie-slim',
  version: '5.2',
  entrypoints: ['main.sh'],
  run: ['sh', '{entrypoint}'],
});
