/**
 * Every error NanoGrid raises or reports: one table of stable codes, and the class that carries them.
 * The user's failing code is a value (a `FAILED` result); only the platform throws, always as `NanoGridError`.
 */

/** Who has to act: the author of the function or config (`user`), or the operator of the platform (`system`). */
export type ErrorSide = 'user' | 'system';

interface CodeEntry {
  readonly side: ErrorSide;
  /** Whether the same job may succeed when it is tried again, here or on another worker. */
  readonly retryable: boolean;
}

const user = { side: 'user', retryable: false } as const;
const system = { side: 'system', retryable: false } as const;
const retry = { side: 'system', retryable: true } as const;

/** All codes. `docs/errors.md` explains each one; a test compares the two. */
export const ERROR_CODES = {
  // The user's code failed: reported as `FAILED`.
  NG_EXIT_CODE: user,
  NG_SIGNAL: user,
  NG_TIMEOUT: user,
  NG_OUT_OF_MEMORY: user,
  NG_ENTRYPOINT_MISSING: user,
  NG_HANDLER_INVALID: user,
  NG_OUTPUT_LIMIT: user,
  NG_BUILD_FAILED: user,
  NG_CANCELLED: user,
  NG_BUDGET_EXCEEDED: user,
  // The code that was sent cannot be accepted: reported as `FAILED`.
  NG_ARCHIVE_UNSAFE: user,
  NG_ARCHIVE_TOO_LARGE: user,
  NG_ARCHIVE_BROKEN: user,
  // The message is no valid job: reported as `ERROR`.
  NG_MESSAGE_INVALID: user,
  NG_MESSAGE_TOO_LARGE: user,
  NG_BUCKET_NOT_ALLOWED: user,
  // Platform trouble: the job is kept and tried again.
  NG_RUNTIME_UNKNOWN: retry,
  NG_CODE_NOT_FOUND: retry,
  NG_CODE_UNAVAILABLE: retry,
  NG_DOCKER_UNAVAILABLE: retry,
  NG_CONTAINER_FAILED: retry,
  NG_SUPERVISOR_PROTOCOL: retry,
  NG_NETWORK_UNSAFE: retry,
  NG_ENGINE_UNSAFE: retry,
  NG_OUTPUT_STORE_FAILED: retry,
  NG_RESULT_STORE_FAILED: retry,
  NG_QUEUE_FAILED: retry,
  NG_REGISTRY_FAILED: retry,
  NG_SHARED_STATE_FAILED: retry,
  NG_DISK_FAILED: retry,
  NG_PLUGIN_FAILED: retry,
  NG_INTERNAL: retry,
  // Set-up: the worker refuses to start.
  NG_CONFIG_INVALID: user,
  NG_CONFIG_NOT_FOUND: user,
  NG_PLUGIN_INVALID: user,
  NG_RUNTIME_INVALID: user,
  NG_IMAGE_FAILED: system,
  NG_PORT_IN_USE: user,
  NG_USAGE: user,
  // The command line as a client of a controller.
  NG_SERVER_UNAVAILABLE: retry,
  NG_SERVER_REFUSED: user,
  NG_NOT_FOUND: user,
} as const satisfies Record<string, CodeEntry>;

/** A stable `NG_…` code. */
export type ErrorCode = keyof typeof ERROR_CODES;

export interface NanoGridErrorOptions {
  readonly cause?: unknown;
  /** What to do about it, as one sentence; shown on its own line by the command line. */
  readonly hint?: string;
}

/** An error of the platform, with a stable code. `message` is one sentence; `cause` is kept. */
export class NanoGridError extends Error {
  override readonly name = 'NanoGridError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: NanoGridErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }

  get side(): ErrorSide {
    return ERROR_CODES[this.code].side;
  }

  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }

  /** Returns `error` itself where it already is one, else wraps it under `code`, keeping the cause. */
  static from(error: unknown, code: ErrorCode, context?: string): NanoGridError {
    if (error instanceof NanoGridError) return error;
    const reason = error instanceof Error ? error.message : String(error);
    return new NanoGridError(code, context === undefined ? reason : `${context}: ${reason}`, {
      cause: error,
    });
  }
}
