/** A small configuration: what the examples need, with everything else on this machine. */

import { defineConfig } from '@nanogrid/core';
import local from '@nanogrid/plugin-local';
import cpp from '@nanogrid/runtime-cpp';
import go from '@nanogrid/runtime-go';
import node from '@nanogrid/runtime-node';
import python from '@nanogrid/runtime-python';

export default defineConfig({
  // No container waits for the last two: their images are made when a function first needs them.
  runtimes: [python(), node(), cpp({ poolSize: 0 }), go({ poolSize: 0 })],
  plugins: [local()],
});
