/** Makes plain data of an error, for the log. Owns no state. */

interface LoggedError {
  readonly type: string;
  readonly message: string;
  readonly code?: string;
  readonly hint?: string;
  readonly stack?: string;
  readonly cause?: LoggedError | string;
}

/** Causes deeper than this are left out; a cause may lead back to its own effect. */
const MAX_CAUSES = 5;

/** An error with its code and its causes, and none of the other fields that libraries hang on theirs (requests, tokens). */
export function serialiseError(error: unknown, depth = 0): LoggedError | string {
  if (!(error instanceof Error)) return String(error);
  const { code, hint } = error as { code?: unknown; hint?: unknown };
  return {
    type: error.name,
    message: error.message,
    ...(typeof code === 'string' ? { code } : {}),
    ...(typeof hint === 'string' ? { hint } : {}),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
    ...(error.cause === undefined || depth === MAX_CAUSES ? {} : { cause: serialiseError(error.cause, depth + 1) }),
  };
}
