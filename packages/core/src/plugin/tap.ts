/** A tap of a hook as tapable keeps it, and how to call one of any kind. Owns no state. */

/** What tapable hands to an interceptor when a tap registers. */
export interface RegisteredTap {
  readonly type: 'sync' | 'async' | 'promise';
  readonly name: string;
  readonly fn: (...args: unknown[]) => unknown;
  /** Set by `labelHooks`. */
  readonly plugin?: unknown;
  /** Of `ResultTapOptions`. */
  readonly required?: boolean;
}

/** A tap that failed. */
export interface TapFailure {
  readonly plugin: string;
  readonly hook: string;
  readonly error: unknown;
}

/** Calls a tap, whether it returns a value, a promise or calls back; never throws at once. */
export function callTap(tap: RegisteredTap, args: readonly unknown[]): Promise<unknown> {
  if (tap.type !== 'async') {
    try {
      return Promise.resolve(tap.fn(...args));
    } catch (error) {
      return Promise.reject(error);
    }
  }
  return new Promise((resolve, reject) => {
    tap.fn(...args, (error: unknown, value: unknown) => {
      // tapable's own callbacks take null, undefined and false for "no error".
      if (error) reject(error);
      else resolve(value);
    });
  });
}

/** The same for who waits only where there is something to wait for: what a tap returns that is called at once, else a promise. May throw. */
export function beginTap(tap: RegisteredTap, args: readonly unknown[]): unknown {
  return tap.type === 'sync' ? tap.fn(...args) : callTap(tap, args);
}
