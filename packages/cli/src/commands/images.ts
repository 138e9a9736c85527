/** `nanogrid images build|ls`: the images that containers are made from. Owns no state. */

import { createDockerClient, DockerEngine, ImageStore, type LoadedConfig, type Runtime } from '@nanogrid/core';
import type { Command } from 'commander';
import { EXIT } from '../exit-codes.js';
import type { Execute, Invocation } from '../invocation.js';
import { loadProject } from '../load-project.js';
import { formatBytes, formatTable } from '../ui/format.js';
import { ProgressDisplay } from '../ui/image-progress.js';
import { teach } from './shared.js';

export function addImages(parent: Command, execute: Execute): void {
  const images = parent
    .command('images')
    .summary('build or list the images of the runtimes')
    .description('Builds or lists the images of the configured runtimes. "start" and "run" build what is missing.');
  const build = images
    .command('build')
    .argument('[runtime...]', 'names of runtimes; default: all, and the supervisor')
    .summary('build or pull the images that are missing')
    .description('Makes sure that the images of the runtimes, and the supervisor, are on the Docker engine.')
    .option('--force', 'build or pull anew what is there already')
    .action((names: string[], options: { force?: true }) =>
      execute((invocation) => buildImages(invocation, names, options.force === true)),
    );
  teach(build, 'nanogrid images build\nnanogrid images build python --force');
  const list = images
    .command('ls')
    .summary('list the images')
    .description('Lists the images of the configured runtimes: name, whether the engine has it, size and id.')
    .action(() => execute(listImages));
  teach(list, 'nanogrid images ls\nnanogrid images ls --json');
}

async function buildImages(invocation: Invocation, names: readonly string[], force: boolean): Promise<number> {
  const { io, ui } = invocation;
  const { signal } = io.interruption;
  const loaded = await loadProject(invocation);
  const runtimes = chosen(loaded, names);
  const progress = new ProgressDisplay(io);
  const built: { runtime: string; tag: string; id: string }[] = [];
  try {
    const store = new ImageStore(await reachDocker(loaded), loaded.config);
    for (const runtime of runtimes) {
      const { tag, id } = await store.ensure(runtime, { onProgress: progress.update, rebuild: force, signal });
      built.push({ runtime: runtime.name, tag, id });
    }
    if (names.length === 0) {
      await store.ensureSupervisor({ onProgress: progress.update, rebuild: force, signal });
    }
  } finally {
    progress.stop();
  }
  ui.result({ images: built }, built.map(({ runtime, tag, id }) => `${runtime}  ${tag}  ${shortId(id)}`).join('\n'));
  return EXIT.ok;
}

async function listImages(invocation: Invocation): Promise<number> {
  const loaded = await loadProject(invocation);
  const docker = await reachDocker(loaded);
  const store = new ImageStore(docker);
  const images = await Promise.all(
    loaded.runtimes.map(async (runtime) => {
      const { tag, id } = await store.status(runtime);
      const sizeBytes = id === undefined ? undefined : (await docker.getImage(id).inspect()).Size;
      return { runtime: runtime.name, tag, present: id !== undefined, sizeBytes: sizeBytes ?? null, id: id ?? null };
    }),
  );
  const rows = images.map(({ runtime, tag, present, sizeBytes, id }) => [
    runtime,
    tag,
    present ? 'yes' : 'no',
    sizeBytes === null ? '-' : formatBytes(sizeBytes),
    id === null ? '-' : shortId(id),
  ]);
  invocation.ui.result({ images }, formatTable(['RUNTIME', 'IMAGE', 'PRESENT', 'SIZE', 'ID'], rows));
  return EXIT.ok;
}

/** An engine that answers; the error for one that does not says what to do. */
async function reachDocker({ config }: LoadedConfig): Promise<ReturnType<typeof createDockerClient>> {
  const docker = createDockerClient(config.docker.host);
  await new DockerEngine(docker).ping();
  return docker;
}

function chosen({ runtimes, runtimeRegistry }: LoadedConfig, names: readonly string[]): readonly Runtime[] {
  if (names.length === 0) return runtimes;
  return [...new Set(names.map((name) => runtimeRegistry.resolve(name).runtime))];
}

function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}
