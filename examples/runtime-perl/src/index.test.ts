import { after, test } from 'node:test';
import { testRuntime } from '@nanogrid/runtime-testkit';
import { perl } from './index.js';

testRuntime({
  runtime: perl(),
  functions: { script: new URL('../kit/', import.meta.url) },
  test,
  after,
});
