/** What a runtime is: a page of data. A language's package exports one, made with `defineRuntime`. */

/** Builds an image from a Dockerfile: `context` is the folder that holds it. */
export interface ImageBuild {
  /** Repository name of the image that is built; its tag is the digest of the context. Default `nanogrid/<runtime>`. */
  readonly name?: string;
  /** Folder with a `Dockerfile`, as a `file:` URL (`new URL('../image/', import.meta.url)`) or an absolute path. */
  readonly context: URL | string;
  /**
   * Further files, put into the context beside the `Dockerfile`: path in the context to `file:` URL or absolute path, or
   * to a file of a package. They count in the digest. For what is not in the folder itself.
   */
  readonly files?: Readonly<Record<string, URL | string | PackageFile>>;
}

/**
 * One file of a package that npm fetches when the image is built, and only then: as the person's own npm is configured,
 * without installing anything, without running a script.
 */
export interface PackageFile {
  /** The file's path in the package, for instance `bin/program`. */
  readonly path: string;
  /** The package that has it for each architecture of the engine, as Docker names it (`amd64`, `arm64`). */
  readonly packages: Readonly<Record<string, PackagePin>>;
}

/** One package in one version, and the digest of its tarball, without which nothing of it is used. */
export interface PackagePin {
  readonly name: string;
  /** The exact version, `1.2.3`. */
  readonly version: string;
  /** `sha512-…`, as in npm's lock files and `npm view <name>@<version> dist.integrity`. */
  readonly integrity: string;
}

/** How a process of the language is kept ready, so that a job does not pay for the language's own start. */
export interface WarmShim {
  /**
   * Command of the waiting process. `{shim}` stands for the folder that holds `files`. It speaks the shim protocol
   * (`docs/supervisor-protocol.md`) on the socket it finds as file descriptor 3, or 4 for `kind: 'spare'`.
   */
  readonly command: readonly string[];
  /**
   * How processes for jobs come to be. `fork`: the waiting process forks one for each job. `spare`: for a language that
   * cannot fork, the supervisor starts `command` itself, ahead, once for each job; it gets ready and waits for its one
   * job on file descriptor 4. Default `fork`.
   */
  readonly kind?: 'fork' | 'spare';
  /** Files delivered to the container when it starts: name to `file:` URL or absolute path. */
  readonly files: Readonly<Record<string, URL | string>>;
  /** Passed to the waiting process as `NANOGRID_PRELOAD`, joined by commas: what it loads before the first job. */
  readonly preload?: readonly string[];
  /** Memory that the waiting process holds, in MiB, added to each job's limit so that the job's own stays whole. Default 64. */
  readonly overheadMb?: number;
  /** How long the process may take to become ready, in milliseconds. Default 30,000. */
  readonly startTimeoutMs?: number;
}

/** A program made of the code before it can run; once for each version of the code, in the sandbox. */
export interface RuntimeBuild {
  /**
   * Command, run in a fresh copy of the code; what it leaves in `/output` is the artifact, which replaces the code but for
   * folders that are empty in it.
   * `{entrypoint}` stands for the entry point's path. What it writes to descriptor 3 is reported as `runtimeVersion`.
   */
  readonly command: readonly string[];
  /** Default 120,000. */
  readonly timeoutMs?: number;
  /** Default 1,024. */
  readonly memoryMb?: number;
  /** Environment of the build; it sees nothing of any job. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Where a data file of the code may name the entry point, for instance `{ file: 'package.json', field: 'main' }`. */
export interface EntrypointManifest {
  /** A JSON file at the top of the code. */
  readonly file: string;
  /** The field of it that holds a path. */
  readonly field: string;
}

/** What the conformance kit may expect of a runtime. */
export interface RuntimeSupports {
  /** `handler: "file.function"` is understood. Default false. */
  readonly handlers?: boolean;
  /** A handler's process may be kept for the next job (`reuse: 'process'`). Default false. */
  readonly keptHandlers?: boolean;
  /** Code that does not build fails with the compiler's words. Default false. */
  readonly build?: boolean;
}

/** A runtime as its author writes it. */
export interface RuntimeDefinition {
  /** Canonical name: lower case, digits, `-`; for instance `perl`. */
  readonly name: string;
  /** Other names that mean this runtime, case-insensitive; `*` matches digits and dots (`perl5.*`). */
  readonly aliases?: readonly string[];
  /** An image's name, used unmodified (`ruby:3.3`), or how to build one. */
  readonly image: string | ImageBuild;
  /** Version of the language that runs, reported as `runtimeVersion`; a shim that reports its own overrules it. */
  readonly version?: string;
  /** File names tried in order as a script's entry point, for instance `['main.sh']`. */
  readonly entrypoints: readonly string[];
  /** Extensions of single source files that may be sent instead of an archive, with the dot. Default: those of `entrypoints`. */
  readonly sourceExtensions?: readonly string[];
  /** Asked before `entrypoints`. */
  readonly manifest?: EntrypointManifest;
  /** How a program is made of the code. Without it, the code is what runs. */
  readonly build?: RuntimeBuild;
  /** Command of a script. `{entrypoint}` stands for the entry point's path. A runtime with a shim may leave it out. */
  readonly run?: readonly string[];
  /** How to keep a process ready. Without it, `run` is spawned anew for each job. */
  readonly warm?: WarmShim;
  /** Environment of every job, under the function's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Limits of a job that names none itself. */
  readonly limits?: { readonly memoryMb?: number; readonly pids?: number };
  /** How many idle containers wait. Default 1. */
  readonly pool?: { readonly size?: number };
  readonly supports?: RuntimeSupports;
}

/** A runtime that was checked by `defineRuntime`. */
export type Runtime = Readonly<RuntimeDefinition>;
