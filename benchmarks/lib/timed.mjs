/** What the sides have in common: time a piece of work, check what came out. Owns no state. */

/** Times `work` in milliseconds, then looks at what it returned. */
export async function timed(work, check) {
  const begun = performance.now();
  const output = await work();
  const value = performance.now() - begun;
  check(output);
  return { value };
}

/** Throws where the two are not the same as JSON. */
export function expectEqual(found, wanted) {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) throw new Error(`got ${JSON.stringify(found)}`);
}
