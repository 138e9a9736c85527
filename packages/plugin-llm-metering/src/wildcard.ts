/** Matches names against patterns in which `*` stands for any text. Owns no state. */

/** Takes time in proportion to both lengths at most, whatever the pattern: no regular expression is made of it. */
export function matchesWildcard(pattern: string, name: string): boolean {
  const star = pattern.indexOf('*');
  if (star === -1) return name === pattern;
  // Most names are none of the pattern's, and every job is asked for.
  if (!name.startsWith(pattern.slice(0, star))) return false;
  const [head = '', ...parts] = pattern.split('*');
  const tail = parts.pop() ?? '';
  let from = head.length;
  for (const part of parts) {
    const found = name.indexOf(part, from);
    if (found === -1) return false;
    from = found + part.length;
  }
  return name.length - tail.length >= from && name.endsWith(tail);
}
