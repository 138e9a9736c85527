/** What a benchmark's command line asks for. Owns no state. */

import { parseArgs } from 'node:util';

/** Most of anything that is counted. */
const MOST = 1_000_000;

/**
 * @typedef {string | boolean | number | { readonly default: number, readonly least: number }} Option its default; a number is
 *   a whole one, at least 1 where nothing else is said
 */

/**
 * The values of the options, each of the type of its default; undefined where the help was asked for. Throws, in words for
 * whoever typed it, where there is no such option or a number is none.
 *
 * @param {Readonly<Record<string, Option>>} options
 * @param {readonly string[]} argv
 * @returns {Record<string, string | boolean | number> | undefined}
 */
export function readOptions(options, argv = process.argv.slice(2)) {
  const known = Object.entries(options).map(([name, option]) => [
    name,
    { type: typeof option === 'boolean' ? 'boolean' : 'string' },
  ]);
  const { values } = parseArgs({
    args: [...argv],
    options: { ...Object.fromEntries(known), help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) return undefined;
  return Object.fromEntries(
    Object.entries(options).map(([name, option]) => [name, checked(name, option, values[name])]),
  );
}

/** The same for a script: prints the help, or what is wrong, and ends the process. */
export function optionsOrExit(help, options) {
  try {
    const values = readOptions(options);
    if (values !== undefined) return values;
    console.log(help);
    return process.exit();
  } catch (error) {
    console.error(`${error.message}\n\n${help}`);
    return process.exit(2);
  }
}

function checked(name, option, given) {
  if (typeof option === 'string' || typeof option === 'boolean') return given ?? option;
  const { default: usual, least } = typeof option === 'number' ? { default: option, least: 1 } : option;
  const value = given === undefined ? usual : Number(given);
  if (given !== '' && Number.isInteger(value) && value >= least && value <= MOST) return value;
  throw new Error(`--${name} must be a whole number from ${least} to ${MOST}, not ${JSON.stringify(given)}`);
}
