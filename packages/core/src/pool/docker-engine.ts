/** The Docker Engine behind `ContainerEngine`, through dockerode. The only file of the pool that knows Docker's API. */

import type { Duplex } from 'node:stream';
import Docker from 'dockerode';
import { withDeadline } from '../concurrency/with-deadline.js';
import { NanoGridError } from '../errors.js';
import type {
  ContainerEngine,
  ContainerListing,
  ContainerSpec,
  EngineContainer,
  EngineInfo,
  EngineLimits,
  HostNetworkSpec,
} from './container-engine.js';
import { connectDirectly } from './direct-stream.js';
import { createOptions, hostNetworkOptions, limitOptions } from './docker-create-options.js';
import { demultiplexer, readLog } from './docker-streams.js';
import { setHostLimits } from './host-limits.js';
import { hostMemoryInUse } from './host-memory.js';

/** How long the engine may take to answer a question, in milliseconds; one that hangs is told as such. */
const ANSWER_TIMEOUT_MS = 10_000;
/** How long the engine may take to create or start one container; a busy machine is slow at both. */
const START_TIMEOUT_MS = 60_000;
/** How long the removal of one container may take. */
const REMOVE_TIMEOUT_MS = 15_000;
/** How long the direct way may stay open after the attached stream has ended. */
const LAST_WORD_MS = 1_000;

/** Makes dockerode's client for an address (`unix://…`, `tcp://…`, `npipe://…`); undefined takes the environment's or the local socket. */
export function createDockerClient(host: string | undefined): Docker {
  if (host === undefined) return new Docker();
  const url = parseAddress(host);
  if (url.protocol === 'unix:' || url.protocol === 'npipe:') return new Docker({ socketPath: url.pathname });
  const secure = url.protocol === 'https:' || url.port === '2376';
  return new Docker({ host: url.hostname, port: Number(url.port || 2375), protocol: secure ? 'https' : 'http' });
}

function parseAddress(host: string): URL {
  try {
    const url = new URL(host);
    if (['unix:', 'npipe:', 'tcp:', 'http:', 'https:'].includes(url.protocol)) return url;
  } catch {
    // told below
  }
  throw new NanoGridError(
    'NG_CONFIG_INVALID',
    `docker.host: ${JSON.stringify(host)} is no address of a Docker engine`,
    {
      hint: 'Use unix:///var/run/docker.sock or tcp://HOST:2375.',
    },
  );
}

export class DockerEngine implements ContainerEngine {
  readonly client: Docker;

  constructor(client: Docker) {
    this.client = client;
  }

  async info(): Promise<EngineInfo> {
    const [version, info] = await Promise.all([
      this.#ask('reach', () => this.client.version()),
      this.#ask('reach', () => this.client.info()),
    ]);
    return {
      version: version.Version,
      apiVersion: version.ApiVersion,
      os: version.Os,
      arch: version.Arch,
      processors: info.NCPU,
      cgroupVersion: info.CgroupVersion,
      runtimes: Object.keys(info.Runtimes ?? {}),
      defaultRuntime: info.DefaultRuntime,
      securityOptions: info.SecurityOptions ?? [],
      components: componentVersions(version.Components ?? []),
      limits: {
        memory: info.MemoryLimit,
        swap: info.SwapLimit,
        pids: info.PidsLimit,
        cpus: info.CpuCfsQuota,
      },
      warnings: info.Warnings ?? [],
    };
  }

  async ping(): Promise<void> {
    await this.#ask('reach', () => this.client.ping());
  }

  async start(spec: ContainerSpec): Promise<EngineContainer> {
    // By its name it can be removed even when the engine's answer to the creation got lost.
    const container = this.client.getContainer(spec.name);
    try {
      const { Config: image } = await this.#ask('look at an image on', () =>
        this.client.getImage(spec.image).inspect(),
      );
      await this.#ask(
        'create a container on',
        () => this.client.createContainer(createOptions(spec, Object.keys(image?.Volumes ?? {}))),
        START_TIMEOUT_MS,
      );
      const attach = { stream: true, hijack: true, stdin: true, stdout: true, stderr: true };
      const stream = (await this.#ask('attach to a container on', () => container.attach(attach))) as unknown as Duplex;
      // Errors of the stream (a reset, a broken pipe) show as its end; without a listener they would end the worker.
      stream.on('error', () => stream.destroy());
      await this.#ask('start a container on', () => container.start(), START_TIMEOUT_MS);
      const { Id, State } = await this.#ask('inspect a container on', () => container.inspect());
      return new DockerContainer(this.client, this.client.getContainer(Id), stream, State.Pid, spec.ociRuntime);
    } catch (error) {
      await container.remove({ force: true }).catch(() => {});
      throw error;
    }
  }

  async ensureNetwork(name: string): Promise<void> {
    const network = this.client.getNetwork(name);
    const driver = await this.#ask('look at the networks of', async () => {
      const found = await network.inspect().catch(unlessMissing);
      if (found) return found.Driver as string;
      const Options = { 'com.docker.network.bridge.enable_icc': 'false' };
      const Labels = { 'nanogrid.role': 'egress' };
      // 409: another worker has made it at this moment.
      await this.client
        .createNetwork({ Name: name, Driver: 'bridge', Options, Labels, CheckDuplicate: true })
        .catch((error: unknown) => {
          if (statusOf(error) !== 409) throw error;
        });
      return 'bridge';
    });
    if (driver === 'bridge' && name !== 'bridge') return;
    throw new NanoGridError('NG_NETWORK_UNSAFE', `the network ${name} is no bridge of its own (${driver})`, {
      hint: 'Name another one in "network.name"; it is made where it is missing.',
    });
  }

  async runOnHostNetwork(spec: HostNetworkSpec): Promise<string> {
    const container = this.client.getContainer(spec.name);
    const run = async () => {
      await this.client.createContainer(hostNetworkOptions(spec));
      await container.start();
      await container.wait();
      const log = await container.logs({ stdout: true, stderr: false, follow: false });
      return readLog(log as unknown as Buffer);
    };
    try {
      return await this.#ask('look at the network of', run, START_TIMEOUT_MS);
    } finally {
      await container.remove({ force: true }).catch(() => {});
    }
  }

  async list(label: string): Promise<ContainerListing[]> {
    const found = await this.#ask('list the containers of', () =>
      this.client.listContainers({ all: true, filters: { label: [label] } }),
    );
    return found.map(({ Id, Names, Labels, State, Created }) => ({
      id: Id,
      name: (Names[0] ?? '').replace(/^\//, ''),
      labels: Labels,
      state: State,
      createdAt: Created,
    }));
  }

  async remove(id: string): Promise<void> {
    await removeContainer(this.client.getContainer(id));
  }

  async #ask<T>(what: string, call: () => Promise<T>, timeoutMs = ANSWER_TIMEOUT_MS): Promise<T> {
    try {
      return await withDeadline(timeoutMs, call);
    } catch (error) {
      throw describe(error, what);
    }
  }
}

class DockerContainer implements EngineContainer {
  readonly id: string;
  readonly hostPid: number;
  readonly #stream: Duplex;
  readonly #client: Docker;
  readonly #container: Docker.Container;
  readonly #ociRuntime: string | undefined;
  #direct: Duplex | undefined;
  #handlers: { onOutput(chunk: Buffer): void; onEnd(): void } | undefined;
  #removal: Promise<void> | undefined;

  constructor(
    client: Docker,
    container: Docker.Container,
    stream: Duplex,
    hostPid: number,
    ociRuntime: string | undefined,
  ) {
    this.#client = client;
    this.#container = container;
    this.#ociRuntime = ociRuntime;
    this.id = container.id;
    this.hostPid = hostPid;
    this.#stream = stream;
  }

  get input(): Duplex {
    return this.#direct ?? this.#stream;
  }

  async shorten(hello: ReadonlyMap<number, number>): Promise<boolean> {
    const direct = await connectDirectly(this.hostPid, this.id, hello);
    const { onOutput, onEnd } = this.#handlers ?? {};
    if (!direct || !onOutput || !onEnd || this.#stream.destroyed) {
      direct?.destroy();
      return false;
    }
    this.#direct = direct;
    direct.on('data', onOutput);
    direct.on('close', onEnd);
    if (direct.destroyed) onEnd();
    return true;
  }

  listen({ onOutput, onError, onEnd }: Parameters<EngineContainer['listen']>[0]): void {
    let ended = false;
    const end = () => {
      if (ended) return;
      ended = true;
      onEnd();
    };
    this.#handlers = { onOutput, onEnd: end };
    // After the change of ways nobody is left who could honestly write there.
    const demultiplex = demultiplexer((chunk) => (this.#direct ? end() : onOutput(chunk)), onError);
    // The direct way closes with the container too, and its last word may still be on it.
    const attachedEnd = () => (this.#direct ? setTimeout(end, LAST_WORD_MS).unref() : end());
    this.#stream.on('data', demultiplex);
    this.#stream.on('end', attachedEnd);
    this.#stream.on('close', attachedEnd);
    if (this.#stream.destroyed) end();
  }

  pause(): void {
    this.input.pause();
  }

  resume(): void {
    this.input.resume();
  }

  memoryInUse(): number {
    return hostMemoryInUse(this.hostPid, this.id);
  }

  async setLimits(limits: Partial<EngineLimits>): Promise<void> {
    // Not every other OCI runtime can change a limit (gVisor's cannot); the host's own files work with each of them.
    if (this.#ociRuntime !== undefined && setHostLimits(this.hostPid, this.id, limits)) return;
    try {
      await withDeadline(ANSWER_TIMEOUT_MS, () => this.#container.update(limitOptions(limits)));
    } catch (error) {
      throw describe(error, 'change the limits of a container on');
    }
  }

  unthrottle(): boolean {
    return setHostLimits(this.hostPid, this.id, { cpus: Number.POSITIVE_INFINITY });
  }

  comeLast(isLast: boolean): boolean {
    return setHostLimits(this.hostPid, this.id, { isLast });
  }

  async ranOutOfMemory(): Promise<boolean> {
    return withDeadline(ANSWER_TIMEOUT_MS, async () => {
      // The engine keeps its last events, also of a container that is gone. Its own clock says what is past.
      const { SystemTime } = (await this.#client.info()) as { SystemTime: string };
      const filters = { container: [this.id], event: ['oom'] };
      const until = Math.floor(Date.parse(SystemTime) / 1000);
      const events = await this.#client.getEvents({ since: 1, until: until + 1, filters });
      for await (const _event of events) return true;
      return false;
    });
  }

  remove(): Promise<void> {
    this.#removal ??= removeContainer(this.#container).finally(() => {
      this.#stream.destroy();
      this.#direct?.destroy();
    });
    return this.#removal;
  }
}

/** Forces a container away and waits until the engine has forgotten it; one that is gone already is no error. */
async function removeContainer(container: Docker.Container): Promise<void> {
  const gone = container.wait({ condition: 'removed' }).catch((error: unknown) => {
    if (statusOf(error) !== 404) throw error;
  });
  gone.catch(() => {});
  await container.remove({ force: true, v: false }).catch((error: unknown) => {
    const status = statusOf(error);
    if (status !== 404 && status !== 409) throw describe(error, 'remove a container from');
  });
  try {
    await withDeadline(REMOVE_TIMEOUT_MS, () => gone);
  } catch (error) {
    throw describe(error, 'remove a container from');
  }
}

function unlessMissing(error: unknown): undefined {
  if (statusOf(error) !== 404) throw error;
}

/** A distribution's revision is in what the engine calls the commit; it tells more than the version alone. */
function componentVersions(
  components: readonly { Name: string; Version?: string; Details?: { GitCommit?: string } }[],
): Record<string, string> {
  return Object.fromEntries(
    components.map(({ Name, Version = '', Details }) => {
      const revision = Details?.GitCommit ?? '';
      return [Name.toLowerCase(), Version !== '' && revision.startsWith(Version) ? revision : Version];
    }),
  );
}

function statusOf(error: unknown): number | undefined {
  return (error as { statusCode?: number } | undefined)?.statusCode;
}

/** An engine's error as one sentence with what to do about it. */
function describe(error: unknown, what: string): NanoGridError {
  if (error instanceof NanoGridError) return error;
  const code = (error as { code?: string } | undefined)?.code;
  const reason = (error as { json?: { message?: string } }).json?.message ?? (error as Error).message;
  if (code === 'EACCES' || code === 'EPERM') {
    return new NanoGridError('NG_DOCKER_UNAVAILABLE', `This user may not use the Docker engine: ${reason}`, {
      cause: error,
      hint: 'Add the user to the group "docker" and log in again, or run as root.',
    });
  }
  if (statusOf(error) === undefined) {
    return new NanoGridError('NG_DOCKER_UNAVAILABLE', `Cannot ${what} the Docker engine: ${reason}`, {
      cause: error,
      hint: 'Is it installed and running? `nanogrid doctor` tells what is missing.',
    });
  }
  return new NanoGridError('NG_CONTAINER_FAILED', `Cannot ${what} the Docker engine: ${reason}`, { cause: error });
}
