import { defineConfig, local } from 'nanogrid';
import { __identifier__ } from './dist/index.js';

export default defineConfig({ runtimes: [__identifier__()], plugins: [local()] });
