import { after, test } from 'node:test';
import { testRuntime } from '@nanogrid/runtime-testkit';
import { luaRuntime } from './index.js';

testRuntime({
  runtime: luaRuntime(),
  functions: { script: new URL('../kit/', import.meta.url) },
  test,
  after,
});
