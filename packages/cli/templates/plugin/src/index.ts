/** The plugin __name__: gives every function a greeting, and logs how each job ended. */

import { definePlugin } from '@nanogrid/core';

export const __identifier__ = definePlugin({
  name: 'nanogrid-plugin-__name__',
  version: '0.0.1',
  core: '^__version__',
  optionsSchema: {
    type: 'object',
    additionalProperties: false,
    properties: {
      greeting: { type: 'string', minLength: 1, default: 'Hello', description: 'What functions find in GREETING.' },
    },
  },
  apply(host, options) {
    host.hooks.beforeExec.tap('greet', (spec) => ({ ...spec, env: { ...spec.env, GREETING: options.greeting } }));
    host.hooks.onResult.tap('log', (result) => {
      host.log.info({ jobId: result.requestId, status: result.status }, 'a job ended');
    });
  },
});

export default __identifier__;
