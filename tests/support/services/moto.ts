/** The faithful emulator of SQS, S3 and DynamoDB: Debian's moto in a container. Owns the container, which ends with this process. */

import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createDockerClient, ImageStore } from '@nanogrid/core';
import type { AwsEmulator } from './fauxqs.js';
import { source } from './places.js';

const START_TIMEOUT_MS = 300_000;
/** The server ends when this process lets go of the container's standard input, however that comes about. */
const SCRIPT = 'moto_server -H 0.0.0.0 -p 5000 & server=$!; cat > /dev/null; kill -9 $server';

/**
 * Makes the image where it is missing (a minute or two, told on standard output), and starts it on loopback. It has
 * CloudWatch too, but answers in a format that the current SDK cannot read: `startCloudWatch` stands in for that.
 */
export async function startMoto(): Promise<AwsEmulator> {
  const docker = createDockerClient(undefined);
  const container = await docker.createContainer({
    Image: await motoImage(),
    Cmd: ['sh', '-c', SCRIPT],
    Labels: { 'nanogrid.test': 'moto' },
    OpenStdin: true,
    StdinOnce: true,
    ExposedPorts: { '5000/tcp': {} },
    HostConfig: {
      AutoRemove: true,
      CapDrop: ['ALL'],
      PortBindings: { '5000/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] },
    },
  });
  const close = async () => {
    await container.remove({ force: true }).catch((error: { statusCode?: number }) => {
      // Gone already, or going.
      if (error.statusCode !== 404 && error.statusCode !== 409) throw error;
    });
  };
  try {
    const stdin = await container.attach({ stream: true, hijack: true, stdin: true });
    stdin.on('error', () => {});
    await container.start();
    const { NetworkSettings } = await container.inspect();
    const port = Number(NetworkSettings.Ports['5000/tcp']?.[0]?.HostPort);
    const host = '127.0.0.1';
    const endpoint = `http://${host}:${port}`;
    await answers(endpoint);
    return { name: 'moto', endpoint, host, port, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The image's tag, which names its content. */
async function motoImage(): Promise<string> {
  let step = '';
  const onProgress = ({ message }: { message: string }) => {
    const found = /^Step \d+\/\d+ .*/.exec(message)?.[0] ?? step;
    if (found !== step) console.log(`moto: ${found}`);
    step = found;
  };
  const image = { name: 'nanogrid-test/moto', context: fileURLToPath(source('./moto/')) };
  return (await new ImageStore(createDockerClient(undefined)).ensure({ name: 'moto', image }, { onProgress })).tag;
}

async function answers(endpoint: string): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      const { status } = await fetch(`${endpoint}/moto-api/data.json`, { signal: AbortSignal.timeout(5_000) });
      if (status === 200) return;
    } catch (error) {
      if (performance.now() > deadline) throw new Error(`moto does not answer at ${endpoint}`, { cause: error });
    }
    await sleep(100);
  }
}
