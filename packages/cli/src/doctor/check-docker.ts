/** Looks at the Docker engine: whether it answers, whether it can hold the sandbox, which images are there. Owns no state. */

import {
  checkEngine,
  createDockerClient,
  DockerEngine,
  type EngineInfo,
  ImageStore,
  type LoadedConfig,
  type Runtime,
} from '@nanogrid/core';
import { type Finding, fail, failed, ok, warn } from './check.js';

type Docker = ReturnType<typeof createDockerClient>;

const INSTALL =
  'Install and start it: on Debian or Ubuntu "apt-get install docker.io", else https://docs.docker.com/engine/install.';
/** All findings about Docker; only the first where it cannot be reached. */
export async function checkDocker({ config, runtimes }: LoadedConfig): Promise<Finding[]> {
  let docker: Docker;
  let info: EngineInfo;
  try {
    docker = createDockerClient(config.docker.host);
    info = await new DockerEngine(docker).info();
  } catch (error) {
    const cause = (error as { cause?: { code?: string } }).cause?.code;
    const missing = cause === 'ENOENT' || cause === 'ECONNREFUSED';
    const { message } = error as Error;
    return [
      missing
        ? fail('Docker', message, `${INSTALL} DOCKER_HOST names another engine.`)
        : failed('Docker', error, INSTALL),
    ];
  }
  return [
    ...checkEngine(info, config.sandbox),
    ...(await checkImages(docker, runtimes)),
    await checkSupervisor(docker),
  ];
}

async function checkImages(docker: Docker, runtimes: readonly Runtime[]): Promise<Finding[]> {
  const store = new ImageStore(docker);
  return await Promise.all(
    runtimes.map(async (runtime) => {
      const name = `image of ${runtime.name}`;
      try {
        const { tag, id } = await store.status(runtime);
        if (id !== undefined) return ok(name, tag);
        const hint = 'It is made by the first start; to make it now: nanogrid images build';
        return warn(name, `${tag} is not there yet`, hint);
      } catch (error) {
        return failed(name, error, 'Reinstall the runtime’s package.');
      }
    }),
  );
}

async function checkSupervisor(docker: Docker): Promise<Finding> {
  const { Volumes } = await docker.listVolumes({ filters: JSON.stringify({ label: ['nanogrid.role=supervisor'] }) });
  const [volume] = Volumes ?? [];
  if (volume !== undefined) return ok('supervisor', volume.Name);
  const hint = 'It is installed by the first start; to install it now: nanogrid images build';
  return warn('supervisor', 'not installed yet', hint);
}
