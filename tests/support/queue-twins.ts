/** The embedded queue and stores as a plugin, without their store of results: for workers that publish elsewhere. Owns no state. */

import { definePlugin } from '@nanogrid/core';
import type { Local } from '@nanogrid/plugin-local';

export const queueTwins = (local: Local) =>
  definePlugin({
    name: 'twins',
    version: '0.1.0',
    core: '*',
    provides: ['source', 'codeStore', 'outputStore'],
    optionsSchema: { type: 'object', additionalProperties: false, properties: {} },
    apply(host) {
      host.provide('source', local.queue);
      host.provide('codeStore', local.code);
      host.provide('outputStore', local.outputs);
      host.lifecycle({ stop: () => local.close() });
    },
  })();
