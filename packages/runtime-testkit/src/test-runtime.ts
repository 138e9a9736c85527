/** Registers the kit's cases with a test runner. Owns no state beyond the kit it makes. */

import { createKit } from './create-kit.js';
import type { KitOptions } from './kit-options.js';

export interface TestRuntimeOptions extends KitOptions {
  /** The runner's function for one test: `test` of `node:test` or vitest, `it` of mocha. It may take up to a minute. */
  readonly test: (name: string, run: () => Promise<void>) => unknown;
  /** The runner's function for what comes after all tests (`after`, `afterAll`). Needed only where single tests are run. */
  readonly after?: (run: () => Promise<void>) => unknown;
}

/**
 * Tests a runtime with real containers: one test for each case that applies to it. Throws a `TypeError` where a function
 * is missing that the runtime's features need.
 */
export function testRuntime({ test, after, ...options }: TestRuntimeOptions): void {
  const kit = createKit(options);
  for (const { name, run } of kit.cases) test(`${options.runtime.name}: ${name}`, () => run());
  after?.(() => kit.close());
}
