/** `nanogrid queue purge`: deletes all messages, once somebody said so. Owns no state. */

import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { NanoGridError, type QueueReport } from '@nanogrid/core';
import { EXIT } from '../exit-codes.js';
import type { Invocation } from '../invocation.js';
import type { Io } from '../io.js';
import { counted, withQueue } from './with-queue.js';

export interface PurgeOptions {
  readonly deadLetters?: true;
  readonly yes?: true;
}

export function purgeQueue(invocation: Invocation, { deadLetters, yes }: PurgeOptions): Promise<number> {
  const { io, ui } = invocation;
  const { signal } = io.interruption;
  // Before anything is asked of the queue: a script that lacks the word should fail whatever the queue says.
  if (!yes && !(io.stdin.isTTY === true && io.stderr.isTTY === true)) {
    throw new NanoGridError('NG_USAGE', 'Nobody can be asked here whether to delete the messages.', {
      hint: 'Give --yes to delete them without a question.',
    });
  }
  return withQueue(invocation, async ({ admin }) => {
    const from = deadLetters ? 'deadLetters' : 'queue';
    if (!yes && !(await confirmed(io, await admin.inspect(signal), from))) {
      ui.note('Nothing was deleted.');
      if (ui.json) ui.printJson({ deleted: 0 });
      return EXIT.failed;
    }
    const deleted = await admin.purge(from, signal);
    ui.result({ deleted }, `${counted(deleted, deadLetters ? 'dead letter' : 'message')} deleted.`);
    return EXIT.ok;
  });
}

/** Only the whole word counts. */
async function confirmed(io: Io, report: QueueReport, from: 'queue' | 'deadLetters'): Promise<boolean> {
  const { name, waiting, delayed, inFlight, deadLetters = 0 } = report;
  const what =
    from === 'deadLetters'
      ? counted(deadLetters, 'dead letter')
      : `${counted(waiting + delayed + inFlight, 'message')} (${inFlight} in flight)`;
  const terminal = createInterface({ input: io.stdin, output: io.stderr });
  try {
    const question = `Delete ${what} of ${name}? This cannot be undone. Type yes to go on: `;
    // The end of the input is an answer too.
    const ended = once(terminal, 'close').then(() => '');
    const answer = await Promise.race([terminal.question(question, { signal: io.interruption.signal }), ended]);
    return answer.trim().toLowerCase() === 'yes';
  } finally {
    terminal.close();
  }
}
