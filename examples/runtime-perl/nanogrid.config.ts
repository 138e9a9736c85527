import { defineConfig, local } from 'nanogrid';
import { perl } from './dist/index.js';

export default defineConfig({ runtimes: [perl()], plugins: [local()] });
