/** The Go runtime passes the conformance kit. */

import { go } from '@nanogrid/runtime-go';
import { testRuntime } from '@nanogrid/runtime-testkit';
import { afterAll, test } from 'vitest';

testRuntime({
  runtime: go(),
  functions: {
    script: new URL('../../packages/runtime-testkit/reference/go/', import.meta.url),
    broken: { 'main.go': 'package main\n\nfunc main() { nothing() }\n' },
  },
  // A bound for what hangs: the first job may have to wait for its image.
  resultTimeoutMs: 300_000,
  test,
  after: afterAll,
});
