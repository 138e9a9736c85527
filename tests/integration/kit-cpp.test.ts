/** The C++ runtime passes the conformance kit. */

import { cpp } from '@nanogrid/runtime-cpp';
import { testRuntime } from '@nanogrid/runtime-testkit';
import { afterAll, test } from 'vitest';

testRuntime({
  runtime: cpp(),
  functions: {
    script: new URL('../../packages/runtime-testkit/reference/cpp/', import.meta.url),
    broken: { 'main.cpp': 'int main() { return nothing; }\n' },
  },
  // A bound for what hangs: the first job may have to wait for its image.
  resultTimeoutMs: 300_000,
  test,
  after: afterAll,
});
