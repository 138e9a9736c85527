/** Type tests, compiled with the project and never run: what an editor accepts in a configuration and a runtime. */

import {
  type CoreConfig,
  defineConfig,
  definePlugin,
  defineRuntime,
  type Runtime,
  type Settings,
} from '@nanogrid/core';
import { expectTypeOf } from 'expect-type';

const optionsSchema = { type: 'object', properties: { url: { type: 'string' } } } as const;
const queue = definePlugin({ name: 'queue', version: '1.0.0', core: '*', optionsSchema, apply() {} });
const perl = defineRuntime({ name: 'perl', image: 'perl:5', entrypoints: ['main.pl'], run: ['perl', '{entrypoint}'] });
expectTypeOf(perl).toEqualTypeOf<Runtime>();

defineConfig({
  runtimes: [perl, '@acme/runtime', ['@acme/runtime', { preload: ['x'] }]],
  plugins: [queue({ url: 'x' }), '@acme/plugin'],
  dataDir: './data',
  worker: { slots: 4 },
  code: { allowedBuckets: ['a', 'b'], limits: { maxRatio: 100 } },
  pool: { sizes: { perl: 2 } },
  docker: { host: undefined },
  environments: { production: { worker: { slots: 16 }, plugins: [] } },
});
defineConfig({});

// @ts-expect-error: a typo in a group
defineConfig({ wroker: { slots: 4 } });
// @ts-expect-error: a typo in a key
defineConfig({ worker: { slotz: 4 } });
// @ts-expect-error: a typo three levels down
defineConfig({ code: { limits: { maxRation: 4 } } });
// @ts-expect-error: a wrong type
defineConfig({ worker: { slots: '4' } });
// @ts-expect-error: a factory that was not called
defineConfig({ plugins: [queue] });
// @ts-expect-error: a typo in an overlay
defineConfig({ environments: { production: { worker: { slotz: 4 } } } });
// @ts-expect-error: overlays have no overlays
defineConfig({ environments: { production: { environments: {} } } });
// @ts-expect-error: a plugin among the runtimes
defineConfig({ runtimes: [queue()] });
// @ts-expect-error: chosen by the command line, not by the file
defineConfig({ environment: 'production' });

// Every key of the resolved configuration can be set, and nothing else but the two lists.
expectTypeOf<Exclude<keyof Settings, 'runtimes' | 'plugins'>>().toEqualTypeOf<
  Exclude<keyof CoreConfig, 'environment'>
>();

// @ts-expect-error: a typo
defineRuntime({ name: 'perl', image: 'perl:5', entrypoint: ['main.pl'] });
// @ts-expect-error: a name is required
defineRuntime({ image: 'perl:5', entrypoints: ['main.pl'] });
