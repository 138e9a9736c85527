/** Two sets of tests: `unit` beside the code, without Docker; `integration` against a real engine, one file at a time. */

import { defineConfig } from 'vitest/config';

/** What is waited for comes in its own time on a busy machine; where it never comes, the test says what it found. */
const PATIENT = { poll: { timeout: 100_000 } };

export default defineConfig({
  test: {
    passWithNoTests: false,
    // The SDK says at each start which Node it will need one day; package.json says which one it has.
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    projects: [
      {
        test: {
          name: 'unit',
          expect: PATIENT,
          include: ['packages/*/src/**/*.test.ts', 'scripts/**/*.test.mjs'],
          sequence: { groupOrder: 0 },
          // A bound for what hangs; a busy machine is slow.
          testTimeout: 200_000,
          hookTimeout: 200_000,
        },
      },
      {
        test: {
          name: 'integration',
          expect: PATIENT,
          include: ['tests/integration/**/*.test.ts'],
          // They share one engine, and some of them measure: they run alone, after the unit tests.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          // The first to need an image makes it in its hook, which takes minutes.
          testTimeout: 400_000,
          hookTimeout: 1_200_000,
        },
      },
    ],
  },
});
