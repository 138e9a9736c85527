/** Versions of the engine's parts, read from what they report and compared. Owns no state. */

/** Major, minor, patch, and the number of a release candidate; a release counts as later than all of its candidates. */
export type Version = readonly [major: number, minor: number, patch: number, candidate: number];

/** The version at the start of `text`, whatever a distribution adds (`20.10.24+dfsg1`, `v1.4.0-rc.3`); undefined where there is none. */
export function parseVersion(text: string): Version | undefined {
  const found = /^v?(\d+)\.(\d+)(?:\.(\d+))?(?:[-~]rc\.?(\d+))?/.exec(text);
  if (!found) return undefined;
  const [, major, minor, patch = 0, candidate] = found;
  return [Number(major), Number(minor), Number(patch), candidate === undefined ? Infinity : Number(candidate)];
}

/** Below zero where `a` is older than `b`. */
export function compareVersions(a: Version, b: Version): number {
  for (const [index, part] of a.entries()) {
    const other = b[index] as number;
    if (part !== other) return part < other ? -1 : 1;
  }
  return 0;
}

/** Whether `version` has a fix whose first release in each maintained line is listed; lines after the newest have it too. */
export function hasFix(version: Version, firstFixed: readonly Version[]): boolean {
  const sameLine = firstFixed.find(([major, minor]) => major === version[0] && minor === version[1]);
  if (sameLine) return compareVersions(version, sameLine) >= 0;
  return firstFixed.every((fixed) => compareVersions(version, fixed) > 0);
}
