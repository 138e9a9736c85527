import { defineConfig, defineRuntime, local } from 'nanogrid';
import { luaRuntime } from './dist/index.js';

/** Lua that is compiled once for each version of the code, and not at the start of each job. */
const compiled = defineRuntime({
  ...luaRuntime({ poolSize: 2 }),
  build: { command: ['luac5.4', '-o', '/output/main.lua', '{entrypoint}'], timeoutMs: 30_000, memoryMb: 256 },
  supports: { build: true },
});

export default defineConfig({ runtimes: [compiled], plugins: [local()] });
