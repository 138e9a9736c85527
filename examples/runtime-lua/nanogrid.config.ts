import { defineConfig, local } from 'nanogrid';
import { luaRuntime } from './dist/index.js';

export default defineConfig({ runtimes: [luaRuntime({ poolSize: 2 })], plugins: [local()] });
