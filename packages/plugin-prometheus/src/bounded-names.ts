/** Keeps the number of values of a label bounded where they come from outside. Owns the names that were let in. */

/** Stands for every name that came too late. */
export const OTHER = 'other';

/** A label longer than this is cut: nobody reads it, and every series carries it. */
const MAX_LENGTH = 128;

export class BoundedNames {
  readonly #max: number;
  readonly #known = new Set<string>();

  constructor(max: number) {
    this.#max = max;
  }

  /** The name itself, cut, or `other` where there are `max` others already. Empty stays empty. */
  admit(name: string): string {
    if (name === '') return '';
    const short = name.length > MAX_LENGTH ? name.slice(0, MAX_LENGTH) : name;
    // Half a surrogate pair is written as U+FFFD: two names that differ in it alone would be one series twice.
    const label = Buffer.from(short).toString();
    if (this.#known.has(label)) return label;
    if (this.#known.size >= this.#max) return OTHER;
    this.#known.add(label);
    return label;
  }
}
