/** `nanogrid queue …`: the words of the commands for whoever looks after a queue. Owns no state. */

import { type Command, InvalidArgumentError } from 'commander';
import type { Execute } from '../invocation.js';
import { wholeNumber } from '../parse-options.js';
import { inspectQueue } from '../queue/inspect-queue.js';
import { purgeQueue } from '../queue/purge-queue.js';
import { redriveQueue } from '../queue/redrive-queue.js';
import { teach } from './shared.js';

/** Most messages of one look. */
const MOST_PEEKED = 1_000;

const EXIT_CODES = `Exit codes:
  0    done
  1    not done: the question was answered with no
  2    wrong usage or configuration
  3    the queue cannot be reached, or refuses
  130  interrupted (143: terminated)`;

export function addQueue(parent: Command, execute: Execute): void {
  const group = parent
    .command('queue')
    .summary('look into the queue, send dead letters again, empty it')
    .description('Works on the queue that the configuration names, embedded or not; the worker need not run.');
  addInspect(group, execute);
  addRedrive(group, execute);
  addPurge(group, execute);
}

function addInspect(group: Command, execute: Execute): void {
  const command = group
    .command('inspect')
    .summary('show depth, jobs in flight, dead letters, and messages')
    .description(
      `Shows how many messages wait, are in flight and are dead letters, and how old the oldest is where the queue tells.
With --peek it also shows messages: decoded, with what is wrong with those that are no job. On SQS a look counts as a
delivery of each message that it shows, so none is looked at unless asked for: a message that was tried often may
become a dead letter by it, which is told. Dead letters can be looked at freely.`,
    )
    .option('--peek <n>', 'show up to N messages; on SQS it counts as a delivery of each', peekCount)
    .option('--dead-letters', 'show dead letters instead, 10 unless --peek says otherwise')
    .action((options) => execute((invocation) => inspectQueue(invocation, options)));
  teach(
    command,
    `
nanogrid queue inspect
nanogrid queue inspect --dead-letters
nanogrid queue inspect --dead-letters --peek 100 --json | jq -r '.messages[] | select(.valid | not) | .error.message'
nanogrid queue inspect --peek 3`,
    EXIT_CODES,
  );
}

function addRedrive(group: Command, execute: Execute): void {
  const command = group
    .command('redrive')
    .summary('send dead letters to the queue again')
    .description(
      `Sends dead letters to the queue as new messages, the oldest first where the queue knows. Each is sent, then deleted:
an interruption may leave one in both places, and loses none. A job whose result is still known is not run again.`,
    )
    .option('--max <n>', 'no more than N of them; default: all', wholeNumber(1))
    .action((options) => execute((invocation) => redriveQueue(invocation, options)));
  teach(
    command,
    `
nanogrid queue redrive --max 1
nanogrid queue redrive`,
    EXIT_CODES,
  );
}

function addPurge(group: Command, execute: Execute): void {
  const command = group
    .command('purge')
    .summary('delete all messages')
    .description(
      `Deletes every message of the queue, those in flight too, or every dead letter. Asks first, with the count; outside of
a terminal it needs --yes. What is deleted cannot be brought back, and nobody is answered.`,
    )
    .option('--dead-letters', 'delete the dead letters instead')
    .option('--yes', 'do not ask')
    .action((options) => execute((invocation) => purgeQueue(invocation, options)));
  teach(
    command,
    `
nanogrid queue purge
nanogrid queue purge --dead-letters --yes`,
    EXIT_CODES,
  );
}

function peekCount(text: string): number {
  const value = wholeNumber(1)(text);
  if (value > MOST_PEEKED) throw new InvalidArgumentError(`It must be at most ${MOST_PEEKED}.`);
  return value;
}
