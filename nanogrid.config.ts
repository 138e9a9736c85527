/** The smallest useful configuration: Python functions, with everything else on this machine. */

import { defineConfig } from '@nanogrid/core';
import local from '@nanogrid/plugin-local';
import python from '@nanogrid/runtime-python';

export default defineConfig({
  runtimes: [python()],
  plugins: [local()],
});
