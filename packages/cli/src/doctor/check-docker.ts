/** Looks at the Docker engine: whether it answers, what its kernel can enforce, which images are there. Owns no state. */

import { createDockerClient, DockerEngine, ImageStore, type LoadedConfig, type Runtime } from '@nanogrid/core';
import { type Finding, fail, failed, ok, warn } from './check.js';

type Docker = ReturnType<typeof createDockerClient>;

const INSTALL =
  'Install and start it: on Debian or Ubuntu "apt-get install docker.io", else https://docs.docker.com/engine/install.';
/** Docker 20.10, the oldest engine that is tried. */
const MINIMUM_API = 1.41;

/** What the doctor reads of `docker info`; the client's own type lacks some of it. */
export interface DockerInfo {
  readonly CgroupVersion?: string;
  readonly MemoryLimit?: boolean;
  readonly PidsLimit?: boolean;
  readonly CpuCfsQuota?: boolean;
  readonly SecurityOptions?: readonly string[] | null;
  readonly OSType?: string;
}

/** All findings about Docker; only the first where it cannot be reached. */
export async function checkDocker({ config, runtimes }: LoadedConfig): Promise<Finding[]> {
  let docker: Docker;
  let version: string;
  let apiVersion: string;
  try {
    docker = createDockerClient(config.docker.host);
    ({ version, apiVersion } = await new DockerEngine(docker).info());
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
  const engine =
    Number(apiVersion) >= MINIMUM_API
      ? ok('Docker', `engine ${version}, API ${apiVersion}`)
      : fail('Docker', `engine ${version} is too old`, 'Install Docker 20.10 or newer.');
  const info = (await docker.info()) as DockerInfo;
  return [engine, ...checkKernel(info), ...(await checkImages(docker, runtimes)), await checkSupervisor(docker)];
}

/** What the engine's kernel can hold a container to. */
export function checkKernel(info: DockerInfo): Finding[] {
  const controllers =
    'Enable the cgroup controllers "memory" and "pids" in the kernel (cgroup_enable=memory), or use cgroup v2.';
  const seccomp = (info.SecurityOptions ?? []).some((option) => option.includes('seccomp'));
  const enforced = (name: string, has: boolean | undefined): Finding =>
    has === false ? fail(name, 'cannot be enforced', controllers) : ok(name, 'enforced');
  return [
    info.OSType === undefined || info.OSType === 'linux'
      ? ok('cgroups', `version ${info.CgroupVersion ?? '1'}`)
      : fail('cgroups', `the engine runs ${info.OSType} containers`, 'Switch the engine to Linux containers.'),
    enforced('memory limit', info.MemoryLimit),
    enforced('process limit', info.PidsLimit),
    seccomp
      ? ok('seccomp', 'on')
      : warn('seccomp', 'the engine does not filter system calls', 'Use a kernel and an engine with seccomp.'),
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
