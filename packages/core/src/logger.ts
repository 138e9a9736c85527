/** The logger that core and plugins write to: the part of pino's interface they use. Injected; core never prints. */

export interface LogFn {
  (fields: object, message?: string): void;
  (message: string): void;
}

export interface Logger {
  trace: LogFn;
  debug: LogFn;
  info: LogFn;
  warn: LogFn;
  error: LogFn;
  child(bindings: Record<string, unknown>): Logger;
  /** Whether lines of a level are written: what nobody reads need not be put together. Default: all are. */
  isLevelEnabled?(level: string): boolean;
}

const nothing: LogFn = () => {};

/** Discards everything. */
export const silentLogger: Logger = {
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  child: () => silentLogger,
};
