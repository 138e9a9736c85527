/** The smallest useful configuration: Python and Node functions, with everything else on this machine. */

import { defineConfig } from '@nanogrid/core';
import local from '@nanogrid/plugin-local';
import node from '@nanogrid/runtime-node';
import python from '@nanogrid/runtime-python';

export default defineConfig({
  runtimes: [python(), node()],
  plugins: [local()],
});
