/** The built-in defaults of the configuration, all of them, in one place. Owns no state. */

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** The defaults that do not depend on anything. The functions below make those that do. */
export const DEFAULTS = {
  workDir: '/tmp/tasks',
  worker: { prefetch: 0, drainTimeoutMs: 30_000 },
  http: { host: '127.0.0.1', port: 8080 },
  controller: {
    host: '127.0.0.1',
    port: 3000,
    apiKeys: [],
    allowAnonymous: false,
    waitTimeoutMs: 300_000,
    maxWaiting: 10_000,
    maxQueued: 100_000,
    requestTimeoutMs: 120_000,
    idempotencyMs: 86_400_000,
    registryCacheMs: 1_000,
    callbacks: { allow: [], timeoutMs: 10_000, maxAttempts: 10, maxBodyBytes: 256 * 1024 },
  },
  job: {
    memoryMb: 256,
    timeoutMs: 300_000,
    maxMemoryMb: 3_008,
    maxTimeoutMs: 900_000,
    graceMs: 200,
    maxLogBytes: MIB,
    maxInputBytes: 6 * MIB,
  },
  code: {
    bucket: 'nanogrid-code',
    limits: {
      maxArchiveBytes: 64 * MIB,
      maxTotalBytes: 256 * MIB,
      maxFileBytes: 128 * MIB,
      maxEntries: 10_000,
      maxRatio: 200,
      maxPathBytes: 512,
      maxDepth: 32,
    },
    cacheBytes: 2 * GIB,
  },
  build: { cacheBytes: 2 * GIB, maxArtifactBytes: 256 * MIB, maxArtifactFiles: 1_000 },
  output: { bucket: 'nanogrid-user-data', maxBytes: 64 * MIB, maxFiles: 256, maxDepth: 16 },
  sandbox: { cpus: 1, pids: 128, diskMb: 128, inodes: 16_384, openFiles: 1_024, preflight: 'warn' },
  functions: {},
  network: { grants: {}, name: 'nanogrid-egress', dns: ['1.1.1.1', '8.8.8.8'], allow: [], deny: [] },
  reuse: { default: 'container', runtimes: {}, functions: {}, maxUses: 1_000, maxAgeMs: 600_000 },
  pool: {
    sizes: {},
    idleTimeoutMs: 600_000,
    maxJobs: 10_000,
    faults: { free: 1, delayMs: 1_000, maxDelayMs: 30_000 },
  },
} as const;

/** What the defaults ask of the machine. */
export interface Machine {
  /** Processors that this process may use. */
  readonly cpuCount: number;
  readonly totalMemoryBytes: number;
}

/** Two slots for each processor, and at least two. */
export function defaultSlots(machine: Machine): number {
  return Math.max(2, 2 * machine.cpuCount);
}

/** Three quarters of the machine's memory in MiB, and at least the limit of one job. */
export function defaultWorkerMemoryMb(machine: Machine, jobMemoryMb: number): number {
  return Math.max(jobMemoryMb, Math.floor((machine.totalMemoryBytes * 0.75) / MIB));
}
