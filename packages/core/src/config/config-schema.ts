/** The schema of the configuration: one source for its check, the editors' schema and the reference in the docs. Owns no state. */

import { NETWORK_GRANTS } from '../network/network-grant.js';
import { DEFAULTS } from './defaults.js';
import {
  bucket,
  count,
  cpuShare,
  entries,
  functionId,
  group,
  ms,
  ranges,
  reuseMode,
  text,
  webhookSecret,
} from './schema-parts.js';

const { worker, http, controller, job, code, build, output, sandbox, functions, network, pool, reuse } = DEFAULTS;

/** The settings, which the base and every overlay may give. */
export const settingsProperties = {
  runtimes: entries('Languages that functions may be written in: what a runtime package’s factory returns.'),
  plugins: entries('Plugins in the order they are applied: what a plugin package’s factory returns.'),
  dataDir: text(
    'Folder of everything durable on this machine: queue, code, outputs, results. Default: `.nanogrid` beside the config file.',
  ),
  workDir: text('Folder of caches and temporary files of the worker.', DEFAULTS.workDir),
  aiEndpoint: {
    ...text('Address of an LLM service, given to functions as `AI_ENDPOINT`. Default: none.'),
    pattern: '^https?://[^\\s]+$',
    mustBe: 'an http:// or https:// address',
  },
  worker: group('The worker and its share of the machine.', {
    slots: {
      ...count('Jobs that run at once. Default: two for each processor.'),
      maximum: 4096,
    },
    memoryMb: count(
      'Sum of the memory limits of jobs that run at once, in MiB. Default: three quarters of the machine’s memory.',
    ),
    prefetch: {
      ...count(
        'Messages that may be taken from the queue beyond the free slots, and wait for one: saves short jobs the way to the queue, and keeps the messages from other workers meanwhile.',
        worker.prefetch,
        0,
      ),
      maximum: 1000,
    },
    drainTimeoutMs: ms('How long a stop waits for running jobs, in milliseconds.', worker.drainTimeoutMs),
  }),
  http: group('The worker’s own HTTP server.', {
    host: text('Address that `/health` and `/status` listen on.', http.host),
    port: {
      type: 'integer',
      minimum: 0,
      maximum: 65_535,
      description: 'Its port; 0 takes a free one.',
      default: http.port,
    },
  }),
  controller: group('The controller: the HTTP API.', {
    host: text('Address that the API listens on.', controller.host),
    port: {
      type: 'integer',
      minimum: 0,
      maximum: 65_535,
      description: 'Its port; 0 takes a free one.',
      default: controller.port,
    },
    apiKeys: {
      type: 'array',
      description: 'Who may use the API (`nanogrid keys create`). Without any, only a loopback address is served.',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['id', 'hash'],
        properties: {
          id: {
            ...text('Names the key in logs.'),
            pattern: `^${functionId}$`,
            mustBe: 'letters, digits, ".", "_", "-"',
          },
          hash: {
            ...text('SHA-256 of the key.'),
            pattern: '^sha256:[0-9a-f]{64}$',
            mustBe: 'sha256: and 64 hexadecimal digits, as `nanogrid keys create` prints them',
          },
          scopes: {
            type: 'array',
            minItems: 1,
            uniqueItems: true,
            items: { type: 'string', enum: ['submit', 'manage', 'read'], description: 'A scope.' },
            description: 'What it may do. Default: all.',
          },
          owner: {
            ...text('Whose functions and jobs it sees. Default: its id.'),
            pattern: `^${functionId}$`,
            mustBe: 'letters, digits, ".", "_", "-"',
          },
          ratePerMinute: count('Requests in a minute, at all controllers together. Default: no limit.'),
          maxConcurrent: count(
            'Requests at once that wait for a result, at all controllers together. Default: no limit.',
          ),
          callbackSecret: webhookSecret(
            'Signs the callbacks of its jobs. Keys of several tenants should each have their own. Default: `controller.callbacks.secret`.',
          ),
        },
      },
      default: controller.apiKeys,
    },
    allowAnonymous: {
      type: 'boolean',
      description: 'Serves an address that others can reach without API keys.',
      default: controller.allowAnonymous,
    },
    waitTimeoutMs: ms('How long `POST /run` waits for a result, in milliseconds.', controller.waitTimeoutMs, 1),
    maxWaiting: count('Requests that wait for a result at once.', controller.maxWaiting),
    maxQueued: count('Jobs that may wait in the queue before new ones are refused.', controller.maxQueued),
    requestTimeoutMs: ms(
      'How long a client may take to send its request, in milliseconds.',
      controller.requestTimeoutMs,
      1,
    ),
    idempotencyMs: ms('How long an `Idempotency-Key` is remembered, in milliseconds.', controller.idempotencyMs, 1),
    registryCacheMs: ms(
      'How long what the registry said of a function counts, in milliseconds; other controllers’ changes are seen after it.',
      controller.registryCacheMs,
    ),
    callbacks: group('What clients’ own servers are told when a job ends.', {
      secret: webhookSecret(
        'Signs callbacks (`echo whsec_$(openssl rand -base64 32)`). Without one, and none of the key’s own, there are no callbacks.',
      ),
      previousSecret: webhookSecret('Signs them as well, while receivers change over to a new secret.'),
      allow: {
        ...ranges(
          'Ranges that callbacks may go to although they are not public, also without TLS. Metadata addresses of clouds are never reached.',
          controller.callbacks.allow,
        ),
        items: text('An IPv4 or IPv6 address or range.'),
      },
      timeoutMs: ms('How long one try may take, in milliseconds.', controller.callbacks.timeoutMs, 1),
      maxAttempts: {
        ...count(
          'Tries before a callback is given up; the pauses between them double, from 2 s on.',
          controller.callbacks.maxAttempts,
        ),
        maximum: 100,
      },
      maxBodyBytes: count(
        'Largest body, in bytes. A larger result is told without its long parts.',
        controller.callbacks.maxBodyBytes,
        1_024,
      ),
    }),
  }),
  job: group('Limits of a job.', {
    // Docker refuses containers with less than 6 MiB.
    memoryMb: count('Memory limit of jobs that name none, in MiB.', job.memoryMb, 6),
    timeoutMs: ms('Time limit of jobs that name none, in milliseconds.', job.timeoutMs, 1),
    maxMemoryMb: count('Most memory that a message may ask for, in MiB. More is refused.', job.maxMemoryMb, 6),
    maxTimeoutMs: ms('Most time that a message may ask for, in milliseconds. More is refused.', job.maxTimeoutMs, 1),
    graceMs: ms('Between SIGTERM at the deadline and SIGKILL, in milliseconds.', job.graceMs),
    maxLogBytes: count('Bytes kept of each of stdout and stderr.', job.maxLogBytes, 0),
    maxInputBytes: count('Largest input, as JSON text in bytes.', job.maxInputBytes),
  }),
  code: group('Where code comes from, and what is accepted.', {
    bucket: bucket('Bucket that a message without one means.', code.bucket),
    allowedBuckets: {
      type: 'array',
      minItems: 1,
      uniqueItems: true,
      items: bucket('A bucket.'),
      description: 'Buckets that a message may name. Default: `code.bucket` only.',
    },
    limits: group('Caps of an archive; each is checked while the bytes stream.', {
      maxArchiveBytes: count('The archive itself, in bytes.', code.limits.maxArchiveBytes),
      maxTotalBytes: count('All files together, extracted, in bytes.', code.limits.maxTotalBytes),
      maxFileBytes: count('One file, extracted, in bytes.', code.limits.maxFileBytes),
      maxEntries: count('Files and folders.', code.limits.maxEntries),
      maxRatio: count('Extracted to compressed size, for each entry above 1 MiB.', code.limits.maxRatio),
      maxPathBytes: {
        ...count('Bytes of a path; a component has at most 255.', code.limits.maxPathBytes),
        // The supervisor takes no longer one.
        maximum: 1_023,
      },
      maxDepth: count('Folders below each other.', code.limits.maxDepth),
    }),
    cacheBytes: count('Bytes of extracted code kept on disk.', code.cacheBytes, 0),
  }),
  build: group('Programs that are built of code.', {
    cacheBytes: count('Bytes of artifacts kept on disk.', build.cacheBytes, 0),
    maxArtifactBytes: count(
      'All files of an artifact together, in bytes. It must fit `code.limits.maxTotalBytes`, too. Each writable place of a build holds as much, and at least `sandbox.diskMb`.',
      build.maxArtifactBytes,
    ),
    maxArtifactFiles: count('Files of an artifact.', build.maxArtifactFiles),
  }),
  output: group('What is collected from `/output`.', {
    bucket: bucket('Bucket of the output files.', output.bucket),
    maxBytes: count('All files of a job together, in bytes.', output.maxBytes, 0),
    maxFiles: count('Files of a job.', output.maxFiles, 0),
    maxDepth: count('Folders below each other.', output.maxDepth),
  }),
  sandbox: group('Bounds of a container.', {
    cpus: cpuShare(
      'Processors. `by-memory`: one for each 1,769 MiB of the job’s memory limit (128 MiB count at least), as AWS Lambda has it.',
      sandbox.cpus,
    ),
    pids: count('Processes and threads, the supervisor’s two included.', sandbox.pids, 4),
    diskMb: count(
      'Size of each writable place (`/tmp`, `/output`, the working directory beyond the code), in MiB.',
      sandbox.diskMb,
    ),
    inodes: count('Files and folders in each writable place.', sandbox.inodes, 16),
    openFiles: count('Open files of a process.', sandbox.openFiles, 16),
    ociRuntime: {
      ...text('OCI runtime, for instance `runsc`. Default: the engine’s own.'),
      pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$',
      mustBe: 'the name of an OCI runtime',
    },
    preflight: {
      type: 'string',
      enum: ['warn', 'refuse'],
      description:
        'What the start does where the engine reports versions with known security faults, or settings that weaken the sandbox. An engine that cannot hold the sandbox is always refused.',
      default: sandbox.preflight,
    },
  }),
  functions: {
    type: 'object',
    description:
      'Limits of single functions, by function id. What a message says of memory and time comes first; what nothing says here is as everywhere else.',
    propertyNames: { pattern: `^${functionId}$`, mustBe: 'a function id' },
    additionalProperties: group('Limits of one function.', {
      memoryMb: count('Memory limit of jobs that name none, in MiB. At most `job.maxMemoryMb`.', undefined, 6),
      timeoutMs: ms('Time limit of jobs that name none, in milliseconds. At most `job.maxTimeoutMs`.', undefined, 1),
      cpus: cpuShare('Processors, or `by-memory`; at most what the engine has.'),
      pids: count('Processes and threads, the supervisor’s two included.', undefined, 4),
      diskMb: count('Size of each writable place, in MiB. Where it differs, no container waits ahead of jobs.'),
    }),
    default: functions,
  },
  network: group('What functions may reach. Without a grant: nothing.', {
    grants: {
      type: 'object',
      description:
        'By function id, or `*` for every other function: `none`; `ai`, the `aiEndpoint` alone; `internet`, public addresses.',
      propertyNames: { pattern: `^(\\*|${functionId})$`, mustBe: 'a function id, or *' },
      additionalProperties: { type: 'string', enum: NETWORK_GRANTS, description: 'The grant.' },
      default: network.grants,
    },
    name: {
      ...text('The engine’s bridge network of functions with `internet`; made where it is missing.', network.name),
      pattern: '^(?!(host|none|default|bridge)$)[A-Za-z0-9][A-Za-z0-9_.-]*$',
      mustBe: 'the name of a network, and none of the engine’s own',
    },
    dns: ranges('Resolvers of functions with `internet`. Each may be reached, whatever else it serves.', network.dns),
    allow: ranges('Ranges that `internet` reaches although they are not public.', network.allow),
    deny: ranges('Ranges that `internet` does not reach although they are public.', network.deny),
  }),
  pool: group('Containers that wait.', {
    maxContainers: count(
      'Most containers at once, idle and bound together. Default: twice the slots plus the idle ones.',
    ),
    sizes: {
      type: 'object',
      description: 'Idle containers by runtime name. Default: each runtime’s own `pool.size`.',
      propertyNames: { pattern: '^[a-z0-9][a-z0-9-]*$', mustBe: 'the name of a runtime' },
      additionalProperties: { type: 'integer', minimum: 0, maximum: 4096, description: 'Idle containers.' },
      default: pool.sizes,
    },
    idleTimeoutMs: ms(
      'A bound container that served nothing for so long is removed, in milliseconds.',
      pool.idleTimeoutMs,
      1,
    ),
    maxJobs: count('Jobs after which a container is replaced.', pool.maxJobs),
    faults: group(
      'What happens to a function version that loses its containers by its own fault (time-out, out of memory): its next ones are delayed, nobody else’s.',
      {
        free: count(
          'Containers that it may lose without a delay. Jobs that end well earn them again.',
          pool.faults.free,
          0,
        ),
        delayMs: ms(
          'Least time between two of its containers after that, in milliseconds; doubled by each further fault, taken back to this by a job that ends well, and to nothing by those of the next seconds. 0: no delay.',
          pool.faults.delayMs,
        ),
        maxDelayMs: ms('Most that the delay grows to, in milliseconds.', pool.faults.maxDelayMs),
      },
    ),
  }),
  reuse: group('What the next job of a function version finds of the one before.', {
    default: reuseMode(
      '`process`: a handler’s process, with its modules, variables and connections; `container`: its container, with a fresh process; `never`: nothing. Scripts have `container` for `process`.',
      reuse.default,
    ),
    runtimes: {
      type: 'object',
      description: 'By runtime name; before `default`.',
      propertyNames: { pattern: '^[a-z0-9][a-z0-9-]*$', mustBe: 'the name of a runtime' },
      additionalProperties: reuseMode('The mode.'),
      default: reuse.runtimes,
    },
    functions: {
      type: 'object',
      description: 'By function id; before `runtimes`.',
      propertyNames: { pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$', mustBe: 'a function id' },
      additionalProperties: reuseMode('The mode.'),
      default: reuse.functions,
    },
    maxUses: count('Jobs that one process runs at most.', reuse.maxUses),
    maxAgeMs: ms(
      'How old a process may be when it is given a job, in milliseconds since its first.',
      reuse.maxAgeMs,
      1,
    ),
  }),
  docker: group('The Docker engine.', {
    host: {
      ...text('Address of the engine, for instance `unix:///var/run/docker.sock`. Default: the local socket.'),
      pattern: '^(unix|tcp|http|https|ssh|npipe)://[^\\s]+$',
      mustBe: 'an address like unix:///var/run/docker.sock or tcp://host:2376',
    },
  }),
} as const;

/** Name of an overlay. */
export const environmentNames = {
  pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$',
  mustBe: 'an environment name: letters, digits, ".", "_" and "-"',
} as const;

/** JSON Schema (draft 7) of one overlay: the settings, all optional. */
export const settingsSchema = {
  type: 'object',
  additionalProperties: false,
  properties: settingsProperties,
} as const;

/** JSON Schema (draft 7) of the whole configuration. */
export const configSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'NanoGrid configuration',
  type: 'object',
  additionalProperties: false,
  properties: {
    $schema: { type: 'string', description: 'Address of this schema, for editors.' },
    ...settingsProperties,
    environments: {
      type: 'object',
      description: 'Overlays by name, chosen with `--env` or `NANOGRID_ENV`: the same settings, merged over the base.',
      propertyNames: environmentNames,
      additionalProperties: settingsSchema,
    },
  },
} as const;
