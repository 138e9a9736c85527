/** The posture of containers in the Docker API's words: everything that a container is made with. Owns no state. */

import { posix } from 'node:path';
import type Docker from 'dockerode';
import type { ContainerSpec, EngineLimits, HostNetworkSpec } from './container-engine.js';

/** Without it a container on cgroup v1 sees the names of the host's groups. The client's types do not know it yet. */
export const PRIVATE_CGROUPS = { CgroupnsMode: 'private' } as const;

/** What every container of a worker has in common. */
const CONFINED = {
  ReadonlyRootfs: true,
  Privileged: false,
  CapDrop: ['ALL'],
  SecurityOpt: ['no-new-privileges'],
  IpcMode: 'none',
  ...PRIVATE_CGROUPS,
};

/**
 * A volume that an image declares would be a place on the host's disk that is writable, without a cap, and never
 * emptied: an empty folder that cannot be written to takes its place, where there is none of ours.
 */
function coverVolumes(spec: ContainerSpec, imageVolumes: readonly string[]): Docker.MountConfig {
  const ours = new Set([...Object.keys(spec.tmpfs), ...Object.values(spec.volumes)]);
  return imageVolumes
    .map((path) => posix.resolve('/', path))
    .filter((path) => !ours.has(path))
    .map((Target) => ({ Type: 'tmpfs' as const, Source: '', Target, ReadOnly: true }));
}

/** What a container of jobs is made with. */
export function createOptions(spec: ContainerSpec, imageVolumes: readonly string[]): Docker.ContainerCreateOptions {
  return {
    name: spec.name,
    Image: spec.image,
    Entrypoint: [...spec.command],
    Cmd: [],
    User: '0:0',
    WorkingDir: '/',
    Labels: { ...spec.labels },
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    OpenStdin: true,
    // When the worker goes, its end of the stream goes, and the supervisor ends the container by itself.
    StdinOnce: true,
    Tty: false,
    NetworkDisabled: spec.network === undefined,
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      AutoRemove: true,
      NetworkMode: spec.network?.name ?? 'none',
      ...(spec.network && { Dns: [...spec.network.dns], Sysctls: { ...spec.network.sysctls } }),
      ...CONFINED,
      CapAdd: [...spec.capabilities],
      ...limitOptions(spec),
      Ulimits: [
        { Name: 'nofile', Soft: spec.openFiles, Hard: spec.openFiles },
        { Name: 'core', Soft: 0, Hard: 0 },
        { Name: 'memlock', Soft: 65536, Hard: 65536 },
      ],
      Tmpfs: { ...spec.tmpfs },
      Mounts: [...mountsOf(spec.volumes), ...coverVolumes(spec, imageVolumes)],
      LogConfig: { Type: 'none', Config: {} },
      RestartPolicy: { Name: 'no' },
      Init: false,
      ...(spec.ociRuntime === undefined ? {} : { Runtime: spec.ociRuntime }),
    },
  };
}

/** Limits that are set when the container is made, and may be changed later. */
export function limitOptions({ memoryBytes, cpus, pids }: Partial<EngineLimits>) {
  return {
    ...(memoryBytes !== undefined && { Memory: memoryBytes, MemorySwap: memoryBytes }),
    ...(cpus !== undefined && { NanoCpus: Math.round(cpus * 1e9) }),
    ...(pids !== undefined && { PidsLimit: pids }),
  };
}

/** Named volumes, read-only. */
function mountsOf(volumes: Readonly<Record<string, string>>) {
  return Object.entries(volumes).map(([Source, Target]) => ({
    Type: 'volume' as const,
    Source,
    Target,
    ReadOnly: true,
    VolumeOptions: { NoCopy: true, Labels: {}, DriverConfig: { Name: '', Options: {} } },
  }));
}

/** What a one-off container that looks at the host's network is made with. */
export function hostNetworkOptions(spec: HostNetworkSpec): Docker.ContainerCreateOptions {
  return {
    name: spec.name,
    Image: spec.image,
    Entrypoint: [...spec.command],
    Cmd: [],
    User: '65534:65534',
    Labels: { ...spec.labels },
    HostConfig: {
      NetworkMode: 'host',
      ...CONFINED,
      Memory: 64 * 2 ** 20,
      PidsLimit: 16,
      Mounts: mountsOf(spec.volumes),
    },
  };
}
