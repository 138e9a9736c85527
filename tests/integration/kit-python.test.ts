/** The Python runtime passes the conformance kit. */

import { python } from '@nanogrid/runtime-python';
import { testRuntime } from '@nanogrid/runtime-testkit';
import { afterAll, test } from 'vitest';

testRuntime({
  runtime: python(),
  functions: {
    script: new URL('../../packages/runtime-testkit/reference/python/', import.meta.url),
    handler: { name: 'main.handler' },
  },
  // A bound for what hangs: the first job may have to wait for its image.
  resultTimeoutMs: 300_000,
  test,
  after: afterAll,
});
