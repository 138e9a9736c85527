/** Makes the worker's logger: lines for a person on a terminal, JSON for a log collector anywhere else. Owns no state. */

import { Writable } from 'node:stream';
import { type LoggerOptions as PinoOptions, pino } from 'pino';
import pretty from 'pino-pretty';
import type { OutputStream } from './io.js';
import type { LogLevel } from './log-level.js';
import { Redactor } from './redact-record.js';
import { wantsColour } from './ui/style.js';
import { forTerminal } from './ui/terminal-text.js';

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Standard error: standard output carries results only. */
  readonly stream: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** JSON also on a terminal. */
  readonly json: boolean;
  /** Texts that must not be written: the secrets of the configuration. Default: none are known. */
  readonly secrets?: readonly string[];
}

/** Variables that hold secrets, whoever reads them. */
const SECRET_VARIABLES = ['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'REDIS_PASSWORD'] as const;

export type WorkerLogger = ReturnType<typeof createLogger>;

export function createLogger({ level, stream, env, json, secrets = [] }: LoggerOptions) {
  const redactor = new Redactor([...secrets, ...SECRET_VARIABLES.map((name) => env[name] ?? '')]);
  const isTerminal = !json && stream.isTTY === true;
  const options = {
    level,
    base: null,
    timestamp: isoTime(),
    formatters: {
      level: (label: string) => ({ level: label }),
      log: (fields: object) => redactor.record(fields),
    },
    // The library's own would be given the error before `formatters.log` is.
    serializers: { err: (value: unknown) => value },
    hooks: {
      logMethod(this: unknown, args: unknown[], method: (...args: unknown[]) => void) {
        const { fields, message } = normalise(args);
        if (message === undefined) method.call(this, fields);
        else method.call(this, fields, isTerminal ? onOneLine(redactor.text(message)) : redactor.text(message));
      },
    },
  } satisfies PinoOptions;
  if (!isTerminal) return redactBindings(pino(options, stream), redactor);
  // As a stream in this thread: lines written just before the process ends are not lost in a worker thread.
  const readable = pretty({
    destination: terminal(stream),
    colorize: wantsColour(stream, env),
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname',
    singleLine: true,
    sync: true,
  });
  const { level: _, ...formatters } = options.formatters;
  return redactBindings(pino({ ...options, formatters }, readable), redactor);
}

/** The time of a line, as pino's own writes it; made once for all lines of a millisecond. */
function isoTime(): () => string {
  let writtenMs = Number.NaN;
  let written = '';
  return () => {
    const now = Date.now();
    if (now !== writtenMs) written = `,"time":"${new Date(now).toISOString()}"`;
    writtenMs = now;
    return written;
  };
}

/** What was logged in any of the ways there are: text, fields, an error, or fields and text. */
function normalise([first, second]: readonly unknown[]): { readonly fields: object; readonly message?: string } {
  if (typeof first === 'string') return { fields: {}, message: first };
  const fields = first instanceof Error ? { err: first } : ((first ?? {}) as { readonly err?: unknown });
  if (typeof second === 'string') return { fields, message: second };
  return fields.err instanceof Error ? { fields, message: fields.err.message } : { fields };
}

/** A message of several lines would begin a line at the margin, where another record begins. */
function onOneLine(text: string): string {
  return text.replace(/\r?\n|[\r\u2028\u2029]/g, '\\n');
}

/** Bindings of a child are written as they are, past all formatters. */
function redactBindings<T extends { child(bindings: object, options?: object): unknown }>(
  log: T,
  redactor: Redactor,
): T {
  const { child } = log;
  return Object.assign(log, {
    child(this: T, bindings: object, options?: object) {
      return child.call(this, redactor.record(bindings), options);
    },
  });
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
