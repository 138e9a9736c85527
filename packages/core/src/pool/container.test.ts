import { expect, test } from 'vitest';
import { silentLogger } from '../logger.js';
import { defineRuntime } from '../runtime/define-runtime.js';
import { Container } from './container.js';
import type { ContainerEngine, ContainerSpec } from './container-engine.js';

test('one that was retired before its start asks the engine for nothing', async () => {
  const runtime = defineRuntime({ name: 'shell', image: 'none', entrypoints: ['main.sh'], run: ['sh'] });
  const container = new Container(runtime, 'name', false, 128, silentLogger, { onState: () => {} });
  await container.retire('the worker stops');
  let asked = 0;
  const engine = {
    start: async () => {
      asked++;
      throw new Error('started');
    },
  } as unknown as ContainerEngine;
  const start = container.start(engine, { memoryBytes: 0 } as ContainerSpec);
  await expect(start).rejects.toMatchObject({ code: 'NG_CONTAINER_FAILED' });
  expect([asked, container.state]).toEqual([0, 'removed']);
});
