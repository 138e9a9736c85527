/** A terminal that shows one page, drawn over again. Owns the terminal's mode, which it gives back. */

import type { Io } from '../io.js';
import { createStyle, wantsColour } from '../ui/style.js';
import type { Line, Tone } from './describe-worker.js';

const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_REST = '\u001b[J';
/** What `q` and Ctrl-C send: a terminal that hands over single keys makes no signals of them. */
const QUIT = ['q', 'Q', '\u0003', '\u0004'];
/** Of a terminal that does not tell its size. */
const DEFAULT_SIZE = { columns: 80, rows: 24 };
const FOOT: Line = { text: 'q quits', tone: 'quiet' };

type Input = Io['stdin'] & { setRawMode?(raw: boolean): void };
type Output = Io['stdout'] & { readonly rows?: number };

export class Screen {
  readonly #io: Pick<Io, 'stdin' | 'stdout' | 'env' | 'atExit'>;
  readonly #onQuit: () => void;
  #lines: readonly Line[] = [];
  #leave: (() => void) | undefined;

  /** `onQuit` is called when a key asks for the end, or nobody can press one any more. */
  constructor(io: Pick<Io, 'stdin' | 'stdout' | 'env' | 'atExit'>, onQuit: () => void) {
    this.#io = io;
    this.#onQuit = onQuit;
  }

  enter(): void {
    const { stdout } = this.#io;
    const stdin = this.#io.stdin as Input;
    const onKeys = (keys: Buffer | string) => {
      const pressed = keys.toString();
      if (QUIT.some((key) => pressed.includes(key))) this.#onQuit();
    };
    const onResize = () => this.#draw();
    stdin.setRawMode?.(true);
    stdin.on('data', onKeys).once('end', this.#onQuit).resume();
    stdout.on('resize', onResize);
    stdout.write(ENTER);
    // However the process ends, the terminal is as it was.
    const giveBack = () => {
      stdin.setRawMode?.(false);
      stdout.write(LEAVE);
    };
    const forget = this.#io.atExit(giveBack);
    this.#leave = () => {
      stdin.off('data', onKeys).off('end', this.#onQuit).pause();
      stdout.off('resize', onResize);
      giveBack();
      forget();
    };
  }

  /** Idempotent. */
  leave(): void {
    this.#leave?.();
    this.#leave = undefined;
  }

  show(lines: readonly Line[]): void {
    this.#lines = lines;
    this.#draw();
  }

  #draw(): void {
    if (this.#leave === undefined) return;
    const stdout = this.#io.stdout as Output;
    const { columns, rows } = {
      columns: stdout.columns || DEFAULT_SIZE.columns,
      rows: stdout.rows || DEFAULT_SIZE.rows,
    };
    const colour = wantsColour(stdout, this.#io.env);
    const page = [...this.#lines.slice(0, Math.max(0, rows - 1)), FOOT].slice(0, rows);
    const text = page.map((line) => `${paint(line, columns, colour)}${CLEAR_LINE}`).join('\r\n');
    // In one piece: a slow line shows no half page.
    stdout.write(`${HOME}${text}${CLEAR_REST}`);
  }
}

/** A line as a terminal of this width shows it, without what others may have written into it for the terminal to obey. */
export function paint({ text, tone }: Line, columns: number, colour: boolean): string {
  const style = createStyle(colour);
  const paints: Record<Tone, (text: string) => string> = {
    title: style.bold,
    head: style.bold,
    bad: style.red,
    quiet: style.dim,
    plain: (plain) => plain,
  };
  return paints[tone](Array.from(text, visible).slice(0, columns).join(''));
}

/** A character that a terminal would obey takes one place, like any other. */
function visible(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x20 || (code >= 0x7f && code < 0xa0) ? ' ' : character;
}
