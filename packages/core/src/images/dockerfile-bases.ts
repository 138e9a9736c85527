/** Finds the images that a Dockerfile starts from, in all its stages. Owns no state. */

/**
 * Images named by the `FROM` lines, each once and in order, without `scratch` and without names of earlier stages.
 * `ARG` defaults given before the first `FROM` are filled in; a name that stays unresolved is left out, as the engine
 * will report it better.
 */
export function dockerfileBases(dockerfile: string): string[] {
  const args = new Map<string, string>();
  const stages = new Set<string>();
  const bases: string[] = [];
  let beforeFirstFrom = true;
  for (const line of logicalLines(dockerfile)) {
    const arg = beforeFirstFrom ? /^ARG\s+(\w+)=("[^"]*"|'[^']*'|\S*)/i.exec(line) : null;
    if (arg?.[1] !== undefined) args.set(arg[1], (arg[2] ?? '').replace(/^(["'])(.*)\1$/, '$2'));
    const from = /^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?/i.exec(line);
    if (from?.[1] === undefined) continue;
    beforeFirstFrom = false;
    const base = expand(from[1], args);
    const known = base === undefined || base === 'scratch' || stages.has(base.toLowerCase());
    if (!known && !bases.includes(base)) bases.push(base);
    if (from[2] !== undefined) stages.add(from[2].toLowerCase());
  }
  return bases;
}

function logicalLines(dockerfile: string): string[] {
  return dockerfile
    .split(/\r?\n/)
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replace(/\\[ \t]*\n/g, ' ')
    .split('\n')
    .map((line) => line.trim());
}

function expand(name: string, args: ReadonlyMap<string, string>): string | undefined {
  let resolved = true;
  const text = name.replace(/\$(?:\{(\w+)(?::-([^}]*))?\}|(\w+))/g, (_, braced, fallback, bare) => {
    const value = args.get(braced ?? bare) || fallback;
    if (value === undefined) resolved = false;
    return value ?? '';
  });
  return resolved && text !== '' ? text : undefined;
}
