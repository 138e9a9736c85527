/**
 * The main job, seen from outside: a worker on the embedded default, three functions, three results.
 * Run it with `npm run demo`, which sets up what is missing first.
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createDockerClient, DockerEngine, loadConfig, Worker } from '@nanogrid/core';
import { local, openLocal } from '@nanogrid/plugin-local';
import { python } from '@nanogrid/runtime-python';
import { PNG } from 'pngjs';
import { zipFolder } from './zip-folder.mjs';

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => interrupted.abort(new Error(signal)));

function say(text) {
  console.log(`\n▸ ${text}`);
}

/** A picture to resize: a colour gradient. */
function picture(width, height) {
  const png = new PNG({ width, height });
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const red = Math.round((255 * x) / width);
      const green = Math.round((255 * y) / height);
      png.data.set([red, green, 128, 255], (width * y + x) * 4);
    }
  }
  return PNG.sync.write(png);
}

const functions = [
  {
    name: 'hello',
    title: 'a script that reads its input and answers on its last line',
    message: { input: { name: 'NanoGrid' } },
  },
  {
    name: 'resize',
    title: 'a handler that resizes a picture with Pillow and leaves a PNG in /output',
    message: { handler: 'main.handler', input: { width: 160, height: 120 } },
    extra: { 'photo.png': picture(640, 480) },
  },
  {
    name: 'fail',
    title: 'a script that fails with an exception, while the worker goes on',
    message: {},
  },
];

/** Prints progress of images: each step of a build once. */
function imageProgress() {
  const told = new Set();
  return ({ image, step, message, current, total }) => {
    const line = current === undefined ? `${step} ${image}` : `${step} ${image} (${current} of ${total})`;
    if (told.has(line)) return;
    told.add(line);
    console.log(`  ${line}: ${message}`.slice(0, 120));
  };
}

async function runFunctions(worker, client) {
  const results = new Map();
  for (const { name, title, message, extra } of functions) {
    say(`Running "${name}": ${title}`);
    const key = `functions/${name}/code.zip`;
    const folder = fileURLToPath(new URL(`../functions/${name}/`, import.meta.url));
    await client.code.put({ bucket: undefined, key }, await zipFolder(folder, extra));
    const requestId = `demo-${name}`;
    client.queue.send(JSON.stringify({ requestId, functionId: name, runtime: 'python', s3Key: key, ...message }));
    const patience = AbortSignal.any([interrupted.signal, AbortSignal.timeout(60_000)]);
    const result = await client.results.wait(requestId, patience);
    if (!result) throw interrupted.signal.reason ?? new Error(`no result of ${name} within a minute`);
    console.log(JSON.stringify(result, undefined, 2));
    results.set(name, result);
  }
  say(`The worker is still ${(await worker.health()).status}`);
  return results;
}

/** The demo is a test too: what it shows must be so. */
async function verify(results) {
  const hello = results.get('hello');
  expect(
    hello.status === 'SUCCESS' && hello.result.greeting === 'Hello, NanoGrid!',
    'hello answered with its greeting',
  );
  const resize = results.get('resize');
  expect(resize.status === 'SUCCESS' && resize.outputFiles.length === 1, 'resize stored one file');
  const thumbnail = PNG.sync.read(await readFile(new URL(resize.outputFiles[0])));
  expect(thumbnail.width === 160 && thumbnail.height === 120, 'the stored PNG opens, and is 160 x 120 pixels');
  const fail = results.get('fail');
  expect(fail.status === 'FAILED' && fail.exitCode === 1, 'fail is reported as the failure of its author');
  expect(/Traceback[\s\S]*could not convert string to float/.test(fail.stderr), 'with its traceback');
}

function expect(condition, what) {
  if (!condition) throw new Error(`the demo did not show that ${what}`);
  console.log(`  ✓ ${what}`);
}

async function main() {
  const directory = await mkdtemp(join(tmpdir(), 'nanogrid-demo-'));
  const dataDir = join(directory, 'data');
  const loaded = await loadConfig({
    cwd: directory,
    overrides: { dataDir, workDir: join(directory, 'work'), runtimes: [python()], plugins: [local()] },
  });
  const worker = new Worker({ loaded, onProgress: imageProgress() });
  let client;
  try {
    say(`Starting a worker (${loaded.config.worker.slots} slots on ${availableParallelism()} processors) ...`);
    console.log('  the first time its images are built, which takes a minute or two');
    const begun = performance.now();
    await worker.start(interrupted.signal);
    console.log(`  ready after ${((performance.now() - begun) / 1000).toFixed(1)} s`);
    client = await openLocal({ directory: dataDir });
    const results = await runFunctions(worker, client);
    say('Looking at what came out');
    await verify(results);
  } finally {
    say('Stopping ...');
    await client?.close();
    await worker.stop();
    await rm(directory, { recursive: true, force: true });
  }
  const own = `nanogrid.process=${process.pid}.`;
  const engine = new DockerEngine(createDockerClient(undefined));
  const left = (await engine.list('nanogrid.role=job')).filter(({ labels }) =>
    `nanogrid.process=${labels['nanogrid.process']}`.startsWith(own),
  );
  expect(left.length === 0, 'no container is left');
  say('Done. Next: `npx nanogrid run examples/functions/hello --input \'{"name": "you"}\'`\n');
}

try {
  await main();
} catch (error) {
  if (interrupted.signal.aborted) {
    console.error('\nInterrupted; everything is cleaned up.');
    process.exitCode = 130;
  } else {
    console.error(`\nThe demo failed: ${error.message}${error.hint ? `\n${error.hint}` : ''}`);
    process.exitCode = 1;
  }
}
