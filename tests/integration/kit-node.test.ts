/** The Node runtime passes the conformance kit. */

import { node } from '@nanogrid/runtime-node';
import { testRuntime } from '@nanogrid/runtime-testkit';
import { afterAll, test } from 'vitest';

testRuntime({
  runtime: node(),
  functions: {
    script: new URL('../../packages/runtime-testkit/reference/node/', import.meta.url),
    handler: { name: 'index.handler' },
  },
  // A bound for what hangs: the first job may have to wait for its image.
  resultTimeoutMs: 300_000,
  test,
  after: afterAll,
});
