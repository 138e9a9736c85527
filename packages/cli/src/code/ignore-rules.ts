/** Which files of a folder stay out of its archive: the defaults, then the folder's `.nanogridignore`. Owns no state. */

/** File with a folder's own rules, in the form of `.gitignore`. */
export const IGNORE_FILE = '.nanogridignore';

/** What is never part of a function. Packages (`node_modules` and the like) are. */
export const DEFAULT_IGNORES: readonly string[] = [
  '.git',
  '.nanogrid',
  IGNORE_FILE,
  'nanogrid-output',
  '__pycache__',
  '*.pyc',
  '.DS_Store',
];

interface Rule {
  readonly pattern: RegExp;
  readonly foldersOnly: boolean;
  /** A `!` rule takes back what an earlier one left out. */
  readonly keeps: boolean;
}

/** The rules in order; the last one that matches a path decides. */
export class IgnoreRules {
  readonly #rules: readonly Rule[];

  /** `text`: the lines of an ignore file. */
  constructor(text = '') {
    const lines = [...DEFAULT_IGNORES, ...text.split(/\r?\n/)].map((line) => line.trim());
    this.#rules = lines.filter((line) => line !== '' && !line.startsWith('#')).map(toRule);
  }

  /** Whether `path` (relative, with `/`) stays out. A folder that does takes its content with it. */
  ignores(path: string, isFolder: boolean): boolean {
    const rule = this.#rules.findLast(({ pattern, foldersOnly }) => (isFolder || !foldersOnly) && pattern.test(path));
    return rule !== undefined && !rule.keeps;
  }
}

function toRule(line: string): Rule {
  const keeps = line.startsWith('!');
  const body = keeps ? line.slice(1) : line;
  const foldersOnly = body.endsWith('/');
  const path = foldersOnly ? body.slice(0, -1) : body;
  // As git has it: a pattern with a slash counts from the folder, one without matches at every depth.
  const anchored = path.includes('/');
  const pattern = new RegExp(`^${anchored ? '' : '(?:.*/)?'}${toPattern(path.replace(/^\//, ''))}$`);
  return { pattern, foldersOnly, keeps };
}

function toPattern(glob: string): string {
  return glob.replace(/\*\*\/|\*\*|\*|\?|[.+^${}()|[\]\\]/g, (token) => {
    switch (token) {
      case '**/':
        return '(?:.*/)?';
      case '**':
        return '.*';
      case '*':
        return '[^/]*';
      case '?':
        return '[^/]';
      default:
        return `\\${token}`;
    }
  });
}
