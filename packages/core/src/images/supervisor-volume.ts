/**
 * Delivers the supervisor to unmodified images: a named volume that holds nothing but its binary, filled by a one-off
 * container. Owns the volumes labelled `nanogrid.role=supervisor`.
 */

import { fileURLToPath } from 'node:url';
import type Docker from 'dockerode';
import { NanoGridError } from '../errors.js';
import { PRIVATE_CGROUPS } from '../pool/docker-create-options.js';
import { type EnsureImageOptions, ensureImage } from './ensure-image.js';
import { imageFailure } from './image-errors.js';
import { type ImageSource, imageTag } from './image-reference.js';

/** Where the volume is mounted, read-only, in every container of a job. */
const MOUNT_POINT = '/nanogrid/bin';
const ROLE_LABEL = 'nanogrid.role';
const VOLUME_ROLE = 'supervisor';
const INSTALLER_ROLE = 'supervisor-installer';
/** Volumes of other versions are left alone for a day: a neighbour may be about to use one that looks unused. */
const OLD_AFTER_MS = 24 * 60 * 60 * 1000;
/** The copy of a small file passes through the page cache. */
const INSTALLER_MEMORY_BYTES = 64 * 2 ** 20;

export interface SupervisorVolumeOptions extends EnsureImageOptions {
  /** Installs again even where the volume is there, for one that a container found damaged. Default false. */
  readonly force?: boolean;
}

export interface SupervisorVolume {
  /** Name of the volume, to be mounted read-only at `supervisorPaths().mountPoint`. */
  readonly name: string;
}

/** Where a container finds the supervisor. */
export function supervisorPaths(): { readonly mountPoint: string; readonly binary: string } {
  return { mountPoint: MOUNT_POINT, binary: `${MOUNT_POINT}/nanogrid-supervisor` };
}

/** The image that carries the supervisor, built from the sources in this package. */
export function supervisorImage(): ImageSource {
  const context = fileURLToPath(new URL('../../supervisor/', import.meta.url));
  return { name: 'supervisor', image: { name: 'nanogrid/supervisor', context } };
}

/**
 * Makes sure that the volume with this version's supervisor exists, building and installing it the first time.
 * An installation that a crash cut short is noticed by its container and repeated; one that another worker has begun
 * is waited for. Throws `NG_IMAGE_FAILED`, `NG_DOCKER_UNAVAILABLE` or the signal's reason.
 */
export async function ensureSupervisorVolume(
  docker: Docker,
  options: SupervisorVolumeOptions = {},
  source: ImageSource = supervisorImage(),
): Promise<SupervisorVolume> {
  const digest = (await imageTag(source)).split(':').at(-1) ?? '';
  const name = `nanogrid-supervisor-${digest}`;
  const forced = options.force === true || options.rebuild === true;
  try {
    if (forced || !(await volumeExists(docker, name)) || (await installerExists(docker, name))) {
      const { tag } = await ensureImage(docker, source, options);
      options.signal?.throwIfAborted();
      await install(docker, tag, name);
      await removeCompiler(docker);
      await removeOldVolumes(docker, name);
    }
  } catch (error) {
    options.signal?.throwIfAborted();
    throw imageFailure('The supervisor could not be installed', error, 'Look at the Docker engine with: docker info');
  }
  return { name };
}

/**
 * The compiler's stage of a build stays behind as an image without a name, of half a gigabyte. One of today may belong
 * to a build that another process has under way.
 */
async function removeCompiler(docker: Docker): Promise<void> {
  const filters = { dangling: ['true'], label: ['nanogrid.stage=supervisor'], until: ['24h'] };
  // Space, not correctness: an engine that refuses keeps it.
  await docker.pruneImages({ filters }).catch(() => {});
}

async function volumeExists(docker: Docker, name: string): Promise<boolean> {
  return (await unless(404, docker.getVolume(name).inspect())) !== undefined;
}

async function installerExists(docker: Docker, volume: string): Promise<boolean> {
  return (await unless(404, docker.getContainer(installerName(volume)).inspect())) !== undefined;
}

/** One name per volume: the engine itself sees to it that workers which start together install one after another. */
function installerName(volume: string): string {
  return `${volume}-installer`;
}

/**
 * Runs the installer, or joins the one that is there. Its container makes the volume and is removed only after it
 * succeeded, so that a volume beside an installer is known to be unfinished.
 */
async function install(docker: Docker, image: string, volume: string): Promise<void> {
  const created = await unless(409, docker.createContainer(installerSpec(image, volume)));
  const container = created ?? docker.getContainer(installerName(volume));
  // 304: another worker has started it already. 404: and has removed it, done.
  await unless(404, unless(304, container.start()));
  const end = (await unless(404, container.wait())) as { readonly StatusCode: number } | undefined;
  if (end !== undefined && end.StatusCode !== 0) {
    const output = await container.logs({ stdout: true, stderr: true, tail: 5 });
    // The container stays as the mark of an unfinished volume; the next attempt starts it again.
    throw new NanoGridError(
      'NG_IMAGE_FAILED',
      `The supervisor could not be installed: its container ended with ${end.StatusCode}. ${printable(output)}`.trim(),
      { hint: 'Check that the Docker engine has disk space left, then try again.' },
    );
  }
  // 409: another worker runs or removes it at this moment.
  await unless(409, unless(404, container.remove()));
}

/**
 * The one-off container that fills the volume: root, since the volume belongs to root, without any capability. Its log
 * is the engine's own, for it says what went wrong. Public for the golden record of the tests.
 */
export function installerSpec(image: string, volume: string): Docker.ContainerCreateOptions {
  return {
    name: installerName(volume),
    Image: image,
    User: '0:0',
    WorkingDir: '/',
    Entrypoint: ['/nanogrid-supervisor'],
    Cmd: ['install', '/target'],
    Labels: { [ROLE_LABEL]: INSTALLER_ROLE },
    NetworkDisabled: true,
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      Privileged: false,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      IpcMode: 'none',
      ...PRIVATE_CGROUPS,
      Memory: INSTALLER_MEMORY_BYTES,
      MemorySwap: INSTALLER_MEMORY_BYTES,
      NanoCpus: 1e9,
      PidsLimit: 16,
      Ulimits: [
        { Name: 'nofile', Soft: 64, Hard: 64 },
        { Name: 'core', Soft: 0, Hard: 0 },
      ],
      RestartPolicy: { Name: 'no' },
      Mounts: [
        {
          Type: 'volume',
          Source: volume,
          Target: '/target',
          VolumeOptions: {
            NoCopy: true,
            Labels: { [ROLE_LABEL]: VOLUME_ROLE },
            DriverConfig: { Name: 'local', Options: {} },
          },
        },
      ],
    },
  };
}

async function removeOldVolumes(docker: Docker, current: string): Promise<void> {
  const filters = { label: [`${ROLE_LABEL}=${VOLUME_ROLE}`], dangling: ['true'] };
  const { Volumes: volumes } = await docker.listVolumes({ filters });
  for (const volume of volumes ?? []) {
    const createdAt = Date.parse((volume as { CreatedAt?: string }).CreatedAt ?? '');
    if (volume.Name === current || !(Date.now() - createdAt > OLD_AFTER_MS)) continue;
    // In use after all, or removed by a neighbour: either is fine.
    await docker
      .getVolume(volume.Name)
      .remove()
      .catch(() => {});
  }
}

/** What `request` gives; undefined where the engine answers with `statusCode`. */
async function unless<T>(statusCode: number, request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === statusCode) return undefined;
    throw error;
  }
}

/** The container's log without the engine's frame headers. */
function printable(output: Buffer | unknown): string {
  return String(output)
    .replace(/[\p{Cc}\ufffd]+/gu, ' ')
    .trim()
    .slice(-400);
}
