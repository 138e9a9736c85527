/** `nanogrid queue redrive`: sends dead letters to the queue again. Owns no state. */

import { EXIT } from '../exit-codes.js';
import type { Invocation } from '../invocation.js';
import { counted, withQueue } from './with-queue.js';

export interface RedriveOptions {
  readonly max?: number;
}

/** How often progress is told where nobody watches it, in milliseconds. */
const TELL_EVERY_MS = 2_000;

export function redriveQueue(invocation: Invocation, { max }: RedriveOptions): Promise<number> {
  const { ui, io } = invocation;
  const onTerminal = io.stderr.isTTY === true;
  return withQueue(invocation, async ({ admin }) => {
    const { deadLetters } = await admin.inspect(io.interruption.signal);
    const total = Math.min(deadLetters ?? 0, max ?? Number.POSITIVE_INFINITY);
    let toldAt = performance.now();
    const moved = (count: number) => {
      if (onTerminal) io.stderr.write(`\r${count} of ${Math.max(count, total)} sent again`);
      else if (performance.now() - toldAt > TELL_EVERY_MS) {
        toldAt = performance.now();
        ui.note(`${count} of ${Math.max(count, total)} sent again`);
      }
    };
    const options = { moved, ...(max === undefined ? {} : { max }) };
    const count = await admin.redrive(options, io.interruption.signal).finally(() => {
      if (onTerminal) io.stderr.write('\r\u001b[K');
    });
    ui.result({ moved: count }, `${counted(count, 'dead letter')} sent again.`);
    if (count > 0) ui.note('A job whose result is still kept (an hour by default), an ERROR too, is not run again.');
    return EXIT.ok;
  });
}
