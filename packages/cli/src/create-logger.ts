/** Makes the worker's logger: lines for a person on a terminal, JSON for a log collector anywhere else. Owns no state. */

import { Writable } from 'node:stream';
import { pino } from 'pino';
import pretty from 'pino-pretty';
import type { OutputStream } from './io.js';
import type { LogLevel } from './log-level.js';
import { wantsColour } from './ui/style.js';
import { forTerminal } from './ui/terminal-text.js';

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Standard error: standard output carries results only. */
  readonly stream: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** JSON also on a terminal. */
  readonly json: boolean;
}

/** Fields that never belong in a log, at the top or one level down. */
const SECRETS = [
  'password',
  'secret',
  'token',
  'apiKey',
  'authorization',
  'secretAccessKey',
  'sessionToken',
  'credentials',
];

export type WorkerLogger = ReturnType<typeof createLogger>;

export function createLogger({ level, stream, env, json }: LoggerOptions) {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: serialiseError },
    redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`]), censor: '***' },
  };
  if (json || stream.isTTY !== true) return pino(options, stream);
  // As a stream in this thread: lines written just before the process ends are not lost in a worker thread.
  const readable = pretty({
    destination: terminal(stream),
    colorize: wantsColour(stream, env),
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname',
    singleLine: true,
    sync: true,
  });
  return pino({ ...options, formatters: {} }, readable);
}

/** Texts of errors may quote what others wrote: none of it is obeyed by the terminal. */
function terminal(stream: OutputStream): Writable {
  return new Writable({
    decodeStrings: false,
    write(text: string | Buffer, _encoding, done) {
      stream.write(forTerminal(text.toString()));
      done();
    },
  });
}

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
