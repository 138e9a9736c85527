/** What the pool asks of a container engine. `docker-engine.ts` is the one implementation; the pool knows only this. */

import type { Writable } from 'node:stream';

/** A container to be made: everything that is decided about it. See `container-spec.ts` for the posture. */
export interface ContainerSpec {
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly pids: number;
  readonly openFiles: number;
  /** Writable places: path to mount options. */
  readonly tmpfs: Readonly<Record<string, string>>;
  /** Read-only named volumes: name to path. */
  readonly volumes: Readonly<Record<string, string>>;
  readonly capabilities: readonly string[];
  readonly ociRuntime: string | undefined;
  /** Undefined: no network at all. */
  readonly network: ContainerNetwork | undefined;
}

/** The way to the outside of a container that was granted it. */
export interface ContainerNetwork {
  /** Name of a network of the engine. */
  readonly name: string;
  /** Addresses of the resolvers. */
  readonly dns: readonly string[];
  readonly sysctls: Readonly<Record<string, string>>;
}

/** A one-off container that looks at the host's network. It has no capability and nothing to write to. */
export interface HostNetworkSpec {
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly volumes: Readonly<Record<string, string>>;
}

/** What can be changed of a container while it runs. */
export type EngineLimits = Pick<ContainerSpec, 'memoryBytes' | 'cpus' | 'pids'>;

/** A started container, attached to its standard streams. */
export interface EngineContainer {
  readonly id: string;
  /** Process id of the container's first process on the engine's host. */
  readonly hostPid: number;
  /** Where frames for its first process go: the attached stream, or what `shorten` found. */
  readonly input: Writable;
  /**
   * Goes on by a shorter way to the first process, where it offers one in `hello` and this host can take it. Resolves to
   * whether it did. Only before the first frame is sent.
   */
  shorten(hello: ReadonlyMap<number, number>): Promise<boolean>;
  /** Calls `onOutput` for standard output and `onError` for standard error, until `onEnd`. */
  listen(handlers: { onOutput(chunk: Buffer): void; onError(chunk: Buffer): void; onEnd(): void }): void;
  pause(): void;
  resume(): void;
  /** Bytes of memory that the container holds, as the host's kernel counts; 0 where that cannot be read. */
  memoryInUse(): number;
  /** Changes limits of the running container; those that are not given stay. */
  setLimits(limits: Partial<EngineLimits>): Promise<void>;
  /** Lets it use every processor, at once; false where that cannot be done without asking the engine, which takes its time. */
  unthrottle(): boolean;
  /**
   * Lets every other container's processes go before its own, or takes that back, at once; false where the host's files
   * cannot be written, and everything stays as it is.
   */
  comeLast(isLast: boolean): boolean;
  /** Whether the kernel found no memory in the container; also of one that is gone. */
  ranOutOfMemory(): Promise<boolean>;
  /** Ends and removes the container; resolves when the engine has forgotten it. May be called twice. */
  remove(): Promise<void>;
}

export interface ContainerListing {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `created`, `running`, `exited`, … */
  readonly state: string;
  /** Unix seconds. */
  readonly createdAt: number;
}

export interface EngineInfo {
  readonly version: string;
  readonly apiVersion: string;
  readonly os: string;
  readonly arch: string;
  /** Processors of its machine: more than so many no container can have. */
  readonly processors: number;
  readonly cgroupVersion: string | undefined;
  readonly runtimes: readonly string[];
  /** The OCI runtime of containers that name none. */
  readonly defaultRuntime: string | undefined;
  readonly securityOptions: readonly string[];
  /** The engine's parts by name in lower case (`containerd`, `runc`), with the version each reports. */
  readonly components: Readonly<Record<string, string>>;
  /** What its kernel can limit; undefined where the engine does not say. */
  readonly limits: {
    readonly memory: boolean | undefined;
    readonly swap: boolean | undefined;
    readonly pids: boolean | undefined;
    readonly cpus: boolean | undefined;
  };
  /** The engine's own warnings about itself. */
  readonly warnings: readonly string[];
}

export interface ContainerEngine {
  /** Throws `NG_DOCKER_UNAVAILABLE` with what to do about it. */
  info(): Promise<EngineInfo>;
  /** Whether the engine answers. Throws `NG_DOCKER_UNAVAILABLE`. */
  ping(): Promise<void>;
  /** Creates, attaches to and starts a container. Leaves nothing behind when it throws. */
  start(spec: ContainerSpec): Promise<EngineContainer>;
  /** Makes sure of the network that containers with the outside granted are on. Throws `NG_NETWORK_UNSAFE` where it is no bridge. */
  ensureNetwork(name: string): Promise<void>;
  /** Runs a container of this worker's to its end, in the host's own network; resolves to what it wrote. */
  runOnHostNetwork(spec: HostNetworkSpec): Promise<string>;
  /** Containers that carry the label, running or not. */
  list(label: string): Promise<ContainerListing[]>;
  remove(id: string): Promise<void>;
}
