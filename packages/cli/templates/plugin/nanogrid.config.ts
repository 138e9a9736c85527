import { defineConfig, local, python } from 'nanogrid';
import { __identifier__ } from './dist/index.js';

export default defineConfig({
  runtimes: [python()],
  plugins: [local(), __identifier__({ greeting: 'Good morning' })],
});
