import { after, test } from 'node:test';
import { testRuntime } from '@nanogrid/runtime-testkit';
import { __identifier__ } from './index.js';

testRuntime({
  runtime: __identifier__(),
  functions: { script: new URL('../kit/', import.meta.url) },
  test,
  after,
});
