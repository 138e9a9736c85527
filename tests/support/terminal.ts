/** Commands on a real pseudo-terminal, which util-linux' `script` opens. Owns nothing: who starts one ends it. */

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Terminal {
  /** Everything that was written so far, with the terminal's sequences. */
  readonly written: string;
  press(keys: string): void;
  /** Another size, as a window that is dragged. */
  resize(columns: number, rows: number): Promise<void>;
  /** Sends the command a signal. */
  signal(name: NodeJS.Signals): void;
  /** Resolves when `found` holds; throws where the command ends before. */
  until(found: (written: string) => boolean): Promise<void>;
  /** Exit code of the command, what the terminal's mode is after it, and all that was written before its end. */
  readonly ended: Promise<{ readonly exitCode: number; readonly mode: string; readonly written: string }>;
  kill(): void;
}

const END = '\u0001end of the command\u0001';

/** Starts a program on a terminal of its own. No word may hold a quote. */
export async function openTerminal(
  words: readonly string[],
  { columns = 100, rows = 40, cwd = '/' } = {},
): Promise<Terminal> {
  const command = words.map((word) => `'${word}'`).join(' ');
  const steps = [
    `stty cols ${columns} rows ${rows}`,
    'tty',
    `sh -c 'echo pid=$$; exec "$@"' sh ${command}`,
    `printf '%s' '${END}'"$? "`,
    'stty -a',
  ];
  const child = spawn('script', ['-qfc', steps.join('; '), '/dev/null'], {
    cwd,
    env: { ...process.env, SHELL: '/bin/sh', TERM: 'xterm-256color', NO_COLOR: '' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let written = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    written += text;
  });
  const ended = once(child, 'close').then(() => {
    const [before = '', after = ''] = written.split(END);
    const [, exitCode = '-1', mode = ''] = /^(\d+) (.*)$/s.exec(after) ?? [];
    return { exitCode: Number(exitCode), mode, written: before };
  });
  const until = async (found: (text: string) => boolean) => {
    while (!found(written)) {
      if (child.exitCode !== null) throw new Error(`it ended before:\n${JSON.stringify(written)}`);
      const next = new AbortController();
      const said = once(child.stdout, 'data', next);
      await Promise.race([said, ended]);
      next.abort();
      await said.catch(() => {});
    }
  };
  await until((text) => /pid=\d+/.test(text));
  const device = /\/dev\/\S+/.exec(written)?.[0] ?? '';
  const pid = Number(/pid=(\d+)/.exec(written)?.[1]);
  return {
    get written() {
      return written;
    },
    press: (keys) => void child.stdin.write(keys),
    resize: async (toColumns, toRows) => {
      await run('stty', ['-F', device, 'cols', String(toColumns), 'rows', String(toRows)]);
    },
    signal: (name) => void process.kill(pid, name),
    until,
    ended,
    kill: () => void child.kill('SIGKILL'),
  };
}
