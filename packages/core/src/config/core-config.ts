/** The resolved configuration as core and plugins read it: every value present, checked and in the unit its name says. */

import type { ReuseMode } from '../exec/exec-spec.js';
import type { NetworkGrant } from '../network/network-grant.js';

export interface CoreConfig {
  /** Name of the chosen environment overlay; undefined where none was. */
  readonly environment: string | undefined;
  /** Absolute folder of everything durable on this machine (queue, code, outputs, results). Default `.nanogrid` beside the config file. */
  readonly dataDir: string;
  /** Absolute folder for caches and temporary files of the worker. Default `/tmp/tasks`. */
  readonly workDir: string;
  /** Given to functions as `AI_ENDPOINT`, where configured. */
  readonly aiEndpoint: string | undefined;
  readonly worker: {
    /** Jobs that run at once. Default: two for each processor. */
    readonly slots: number;
    /** Sum of the memory limits of jobs that run at once, in MiB. Default: three quarters of the machine's memory. */
    readonly memoryMb: number;
    /** Messages that may be taken from the queue beyond the free slots, and wait for one. Default 0. */
    readonly prefetch: number;
    /** How long a stop waits for running jobs, in milliseconds. Default 30,000. */
    readonly drainTimeoutMs: number;
  };
  readonly http: {
    /** Address that `/health` and `/status` listen on. Default `127.0.0.1`. */
    readonly host: string;
    /** Default 8080; 0 takes a free one. */
    readonly port: number;
  };
  readonly controller: {
    /** Address that the HTTP API listens on. Default `127.0.0.1`. */
    readonly host: string;
    /** Default 3000; 0 takes a free one. */
    readonly port: number;
    /** Who may use the API. Default: nobody is asked, on a loopback address only. */
    readonly apiKeys: readonly ApiKeySettings[];
    /** Serves an address that others can reach without API keys. Default false. */
    readonly allowAnonymous: boolean;
    /** How long `POST /run` waits for a result, in milliseconds. Default 300,000. */
    readonly waitTimeoutMs: number;
    /** Requests that wait for a result at once. Default 10,000. */
    readonly maxWaiting: number;
    /** Jobs that may wait in the queue before new ones are refused. Default 100,000. */
    readonly maxQueued: number;
    /** How long a client may take to send its request, in milliseconds. Default 120,000. */
    readonly requestTimeoutMs: number;
    /** How long an `Idempotency-Key` is remembered, in milliseconds. Default 86,400,000. */
    readonly idempotencyMs: number;
    /** How long what the registry said of a function counts, in milliseconds. Default 1,000. */
    readonly registryCacheMs: number;
    /** Tells the clients' own servers that a job has ended. Off without a secret. */
    readonly callbacks: CallbackSettings;
  };
  readonly job: {
    /** Limits of jobs that name none: 256 MiB and 300,000 ms. */
    readonly memoryMb: number;
    readonly timeoutMs: number;
    /** What a message may ask for at most: 3,008 MiB and 900,000 ms. More is refused. */
    readonly maxMemoryMb: number;
    readonly maxTimeoutMs: number;
    /** Between SIGTERM at the deadline and SIGKILL, in milliseconds. Default 200. */
    readonly graceMs: number;
    /** Bytes kept of each of stdout and stderr. Default 1 MiB. */
    readonly maxLogBytes: number;
    /** Largest input, as JSON text in bytes. Default 6 MiB. */
    readonly maxInputBytes: number;
  };
  readonly code: {
    /** Bucket that a message without one means. Default `nanogrid-code`. */
    readonly bucket: string;
    /** Buckets that a message may name. Default: `bucket` only. */
    readonly allowedBuckets: readonly string[];
    readonly limits: ArchiveLimits;
    /** Bytes of extracted code kept on disk. Default 2 GiB. */
    readonly cacheBytes: number;
  };
  readonly build: {
    /** Bytes of artifacts kept on disk. Default 2 GiB. */
    readonly cacheBytes: number;
    /**
     * Caps of one artifact: 256 MiB and 1,000 files. It must fit `code.limits.maxTotalBytes`, too. Each writable place of
     * a build holds as much, and at least `sandbox.diskMb`.
     */
    readonly maxArtifactBytes: number;
    readonly maxArtifactFiles: number;
  };
  readonly output: {
    /** Default `nanogrid-user-data`. */
    readonly bucket: string;
    /** Caps of what is collected from `/output`: 64 MiB, 256 files, 16 levels. */
    readonly maxBytes: number;
    readonly maxFiles: number;
    readonly maxDepth: number;
  };
  readonly sandbox: {
    /** Processors of a container that serves a function; `by-memory`: in proportion to the job's memory limit. Default 1. */
    readonly cpus: CpuShare;
    /** Processes and threads of a container, the supervisor's two included. Default 128. */
    readonly pids: number;
    /** Size of each writable place (`/tmp`, `/output`, the working directory beyond the code), in MiB. Default 128. */
    readonly diskMb: number;
    /** Files and folders in each writable place. Default 16,384. */
    readonly inodes: number;
    /** Open files of a process. Default 1,024. */
    readonly openFiles: number;
    /** OCI runtime, for instance `runsc`. Default: the engine's own. */
    readonly ociRuntime: string | undefined;
    /**
     * What the worker's start does about an engine with known faults or weak settings: tell, or refuse. Default `warn`.
     * An engine that cannot hold the sandbox at all is refused always.
     */
    readonly preflight: 'warn' | 'refuse';
  };
  /** Limits of single functions, by function id. What a message says of memory and time comes first. Default: none. */
  readonly functions: Readonly<Record<string, FunctionSettings>>;
  readonly network: {
    /** What functions may reach, by function id; `*` is every other function. Default: `none` for all. */
    readonly grants: Readonly<Record<string, NetworkGrant>>;
    /**
     * The engine's bridge network of functions with `internet`; made where it is missing, with traffic between its
     * containers off. Default `nanogrid-egress`.
     */
    readonly name: string;
    /** Resolvers of functions with `internet`. Each may be reached, whatever else it serves. Default `1.1.1.1`, `8.8.8.8`. */
    readonly dns: readonly string[];
    /** Ranges that `internet` reaches although they are not public, for instance `10.1.0.0/16`. Default: none. */
    readonly allow: readonly string[];
    /** Ranges that `internet` does not reach although they are public. Default: none. */
    readonly deny: readonly string[];
  };
  readonly pool: {
    /** Most containers at once, idle and bound together. Default: twice the slots plus the idle ones. */
    readonly maxContainers: number | undefined;
    /** Idle containers by runtime name; a runtime's own `pool.size` where absent. */
    readonly sizes: Readonly<Record<string, number>>;
    /** A bound container that served nothing for so long is removed, in milliseconds. Default 600,000. */
    readonly idleTimeoutMs: number;
    /** Jobs after which a container is replaced. Default 10,000. */
    readonly maxJobs: number;
    /** How the containers of functions that lose theirs by their own fault are spaced out. */
    readonly faults: {
      /** Containers that a function version may lose without any delay. Default 1. */
      readonly free: number;
      /** Least time between two containers after that, in milliseconds; doubled by each further fault. Default 1,000; 0 is none. */
      readonly delayMs: number;
      /** Most that it grows to, in milliseconds. Default 30,000. */
      readonly maxDelayMs: number;
    };
  };
  readonly reuse: {
    /** What the next job of a function version finds: `process`, `container` or `never`. Default `container`. */
    readonly default: ReuseMode;
    /** By runtime name; before `default`. */
    readonly runtimes: Readonly<Record<string, ReuseMode>>;
    /** By function id; before `runtimes`. */
    readonly functions: Readonly<Record<string, ReuseMode>>;
    /** Jobs that one process runs at most. Default 1,000. */
    readonly maxUses: number;
    /** How old a process may be when it is given a job, in milliseconds since its first. Default 600,000. */
    readonly maxAgeMs: number;
  };
  readonly docker: {
    /** Address of the engine (`unix:///var/run/docker.sock`, `tcp://…`). Default: `DOCKER_HOST`, then the local socket. */
    readonly host: string | undefined;
  };
}

/** What a key of the HTTP API may do. */
export type ApiKeyScope = 'submit' | 'manage' | 'read';

/** A key of the HTTP API; the key itself is never stored. */
export interface ApiKeySettings {
  /** Names the key in logs. */
  readonly id: string;
  /** `sha256:` and the SHA-256 of the key in hex, as `nanogrid keys create` prints it. */
  readonly hash: string;
  /** `submit`: run and cancel; `manage`: register and delete functions; `read`: functions and results. Default: all. */
  readonly scopes?: readonly ApiKeyScope[];
  /** Whose functions and jobs it sees: keys of one owner share them. Default: the key's id. */
  readonly owner?: string;
  /** Requests in a minute, at all controllers together. Default: no limit. */
  readonly ratePerMinute?: number;
  /** Requests at once that wait for a result, at all controllers together. Default: no limit. */
  readonly maxConcurrent?: number;
  /** Signs the callbacks of jobs that this key submits: `whsec_` and Base64. Default: `callbacks.secret`. */
  readonly callbackSecret?: string;
}

/** Callbacks of a controller. */
export interface CallbackSettings {
  /** Signs callbacks: `whsec_` and 24 to 64 bytes in Base64. Without one, and none of the key's own, a request for a callback is refused. */
  readonly secret?: string;
  /** Signs them as well, so that receivers can take up a new secret one after the other. */
  readonly previousSecret?: string;
  /** Ranges that callbacks may go to although they are not public, also without TLS. Default: none. */
  readonly allow: readonly string[];
  /** How long one try may take, in milliseconds. Default 10,000. */
  readonly timeoutMs: number;
  /** Tries before a callback is given up. Default 10. */
  readonly maxAttempts: number;
  /** Largest body; a larger result is told without its long parts. Default 256 KiB. */
  readonly maxBodyBytes: number;
}

/** A number of processors, or one for each 1,769 MiB of the job's memory limit; never more than the machine has. */
export type CpuShare = number | 'by-memory';

/** Limits of one function. */
export interface FunctionSettings {
  /** Memory limit of jobs whose message names none, in MiB. At most `job.maxMemoryMb`. Default: the runtime's, else `job.memoryMb`. */
  readonly memoryMb?: number;
  /** Time limit of jobs whose message names none, in milliseconds. At most `job.maxTimeoutMs`. Default `job.timeoutMs`. */
  readonly timeoutMs?: number;
  /** Default `sandbox.cpus`. */
  readonly cpus?: CpuShare;
  /** Processes and threads, the supervisor's two included. Default: the runtime's, else `sandbox.pids`. */
  readonly pids?: number;
  /** Size of each writable place, in MiB. Containers of another size are not made ahead of jobs. Default `sandbox.diskMb`. */
  readonly diskMb?: number;
}

/** Caps of an archive; each is checked while the bytes stream. */
export interface ArchiveLimits {
  /** The archive itself, in bytes. Default 64 MiB. */
  readonly maxArchiveBytes: number;
  /** All files together, extracted. Default 256 MiB. */
  readonly maxTotalBytes: number;
  /** One file, extracted. Default 128 MiB. */
  readonly maxFileBytes: number;
  /** Default 10,000. */
  readonly maxEntries: number;
  /** Extracted to compressed, for each entry above 1 MiB. Default 200. */
  readonly maxRatio: number;
  /** Bytes of a path. Default 512; a component has at most 255. */
  readonly maxPathBytes: number;
  /** Folders below each other. Default 32. */
  readonly maxDepth: number;
}
