/** Reads the patterns of a `.dockerignore` and tells which paths of a context they leave out. Owns no state. */

interface Rule {
  readonly matches: RegExp;
  readonly keep: boolean;
}

/** Returns true for a path (relative, `/` between components) that is left out of the context. */
export type IgnoreFilter = (path: string) => boolean;

/**
 * Compiles the text of a `.dockerignore`: `*`, `?`, `[a-z]`, `**`, comments and `!exceptions`; the last rule that
 * matches a path or one of its folders decides, as in Docker.
 */
export function parseDockerIgnore(text: string): IgnoreFilter {
  const rules: Rule[] = [];
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const keep = line.startsWith('!');
    const pattern = (keep ? line.slice(1).trim() : line).replace(/^\.?\/+/, '').replace(/\/+$/, '');
    if (pattern === '' || pattern === '.') continue;
    rules.push({ matches: new RegExp(`^${globToRegExp(pattern)}(?:/.*)?$`), keep });
  }
  return (path) => {
    let ignored = false;
    for (const rule of rules) if (rule.matches.test(path)) ignored = !rule.keep;
    return ignored;
  };
}

function globToRegExp(glob: string): string {
  return glob.replace(/\*\*\/|\*\*|\*|\?|\[[^\]/]+\]|[\\^$+.()|{}[\]]/g, (token) => {
    if (token === '**/') return '(?:.*/)?';
    if (token === '**') return '.*';
    if (token === '*') return '[^/]*';
    if (token === '?') return '[^/]';
    if (token.length > 1) return token.replace(/\\/g, '\\\\');
    return `\\${token}`;
  });
}
