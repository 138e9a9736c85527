/** Finds the runtime that a job's runtime name means. Owns the table of names, which never changes once it is made. */

import { nearest } from '../config/nearest.js';
import { NanoGridError } from '../errors.js';
import type { Runtime } from './runtime.js';

/** What a name was resolved to. */
export interface ResolvedRuntime {
  readonly runtime: Runtime;
  /** The name as it was asked for. */
  readonly askedName: string;
  /** The version that the name ends in, `5.36` of `perl5.36` or `5` of `perl5.x`; undefined where it names none. */
  readonly versionAsked: string | undefined;
}

interface Name {
  /** As the runtime's author wrote it. */
  readonly written: string;
  /** Lower case: what stands before and after the `*`; `after` is undefined where there is none. */
  readonly before: string;
  readonly after: string | undefined;
  readonly runtime: Runtime;
  /** Place of the runtime in the list: tells one that is listed twice from itself. */
  readonly place: number;
}

const VERSION_AT_END = /(\d+(?:\.\d+)*)(?:\.x)?$/;
const ONLY_VERSION = /^[\d.]*$/;

/** The runtimes of one worker, by name and alias, case-insensitive. */
export class RuntimeRegistry {
  readonly runtimes: readonly Runtime[];
  readonly #names: readonly Name[];

  /** Throws `NG_RUNTIME_INVALID` where two runtimes have a name or alias in common. */
  constructor(runtimes: readonly Runtime[]) {
    this.runtimes = [...runtimes];
    const names: Name[] = [];
    for (const [place, runtime] of runtimes.entries()) {
      for (const written of [runtime.name, ...(runtime.aliases ?? [])]) {
        const name = toName(written, runtime, place);
        const clash = names.find((other) => other.place !== place && overlap(other, name));
        if (clash !== undefined) throw clashError(clash, name);
        names.push(name);
      }
    }
    this.#names = names;
  }

  /** Canonical names in alphabetical order. */
  get names(): string[] {
    return this.runtimes.map((runtime) => runtime.name).sort();
  }

  /** The runtime that `askedName` means. Throws `NG_RUNTIME_UNKNOWN`, which lists the known names. */
  resolve(askedName: string): ResolvedRuntime {
    const found = this.find(askedName);
    if (found === undefined) throw this.#unknown(askedName);
    return found;
  }

  /** The runtime that `askedName` means; undefined where there is none. */
  find(askedName: string): ResolvedRuntime | undefined {
    const asked = askedName.toLowerCase();
    const name = this.#names.find((candidate) => matches(candidate, asked));
    if (name === undefined) return undefined;
    const versionAsked = asked === name.runtime.name ? undefined : VERSION_AT_END.exec(asked)?.[1];
    return { runtime: name.runtime, askedName, versionAsked };
  }

  #unknown(askedName: string): NanoGridError {
    const known = this.names.length === 0 ? 'none is registered' : `known here: ${this.names.join(', ')}`;
    const meant = nearest(
      askedName,
      this.#names.map((name) => name.written),
    );
    const suggestion = meant === undefined ? '' : `; did you mean ${JSON.stringify(meant)}?`;
    return new NanoGridError(
      'NG_RUNTIME_UNKNOWN',
      `The runtime ${JSON.stringify(askedName)} is unknown to this worker (${known})${suggestion}`,
      { hint: 'Ask for one of the known runtimes, or add the one that is missing to "runtimes" in the configuration.' },
    );
  }
}

function toName(written: string, runtime: Runtime, place: number): Name {
  const [before = '', after] = written.toLowerCase().split('*');
  return { written, before, after, runtime, place };
}

/** A `*` stands for at least one digit or dot. */
function matches(name: Name, asked: string): boolean {
  const { before, after } = name;
  if (after === undefined) return asked === before;
  if (asked.length <= before.length + after.length) return false;
  if (!asked.startsWith(before) || !asked.endsWith(after)) return false;
  return ONLY_VERSION.test(asked.slice(before.length, asked.length - after.length));
}

function overlap(one: Name, two: Name): boolean {
  if (one.after === undefined) return matches(two, one.before);
  if (two.after === undefined) return matches(one, two.before);
  // Two patterns meet where both match the longer beginning, any version and the longer end.
  const before = one.before.length > two.before.length ? one.before : two.before;
  const after = one.after.length > two.after.length ? one.after : two.after;
  const sample = `${before}0${after}`;
  return matches(one, sample) && matches(two, sample);
}

function clashError(one: Name, two: Name): NanoGridError {
  if (one.runtime.name === two.runtime.name) {
    return new NanoGridError('NG_RUNTIME_INVALID', `The runtime "${one.runtime.name}" is registered twice.`);
  }
  const names = one.written === two.written ? `"${one.written}"` : `"${one.written}" and "${two.written}"`;
  return new NanoGridError(
    'NG_RUNTIME_INVALID',
    `The runtimes "${one.runtime.name}" and "${two.runtime.name}" both answer to ${names}.`,
    { hint: 'Remove one of the two runtimes, or the alias from one of them.' },
  );
}
