/** The program `nanogrid`: the only file that reads the process's arguments and environment, and that exits. */

import { Interruption } from './interruption.js';
import type { Io } from './io.js';
import { main } from './main.js';

const interruption = new Interruption();
const cleanUps = new Set<() => void>();
let takeWarning = (warning: Error): void => {
  process.stderr.write(`${warning.name}: ${warning.message}\n`);
};
const io: Io = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  interruption,
  takeWarnings(take) {
    const before = takeWarning;
    takeWarning = take;
    return () => {
      takeWarning = before;
    };
  },
  atExit(cleanUp) {
    cleanUps.add(cleanUp);
    return () => cleanUps.delete(cleanUp);
  },
};

// Node's own listener writes text between the lines of a log that is JSON.
process.removeAllListeners('warning').on('warning', (warning) => takeWarning(warning));

let finished = false;
process.on('exit', () => {
  for (const cleanUp of cleanUps) cleanUp();
  if (finished || interruption.signal.aborted) return;
  process.stderr.write('Error: The command ended before it was done; this is a fault of NanoGrid.\n');
});
for (const [name, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(name, () => {
    if (!interruption.interrupt(name)) void interruption.hurry().then(() => process.exit(code));
  });
}
for (const event of ['unhandledRejection', 'uncaughtException'] as const) {
  process.on(event, (error: unknown) => {
    if (!interruption.crash(error)) process.stderr.write(`${String(error)}\n`);
  });
}
// A reader that went away (`| head`) is no reason to leave containers behind.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

// What ends before its exit code is known, because nothing is left to wait for, did not end well.
process.exitCode = 3;
const exitCode = await main(process.argv.slice(2), io);
finished = true;
// Text for a pipe may still be on its way.
for (const stream of [process.stdout, process.stderr])
  await new Promise<void>((done) => stream.write('', () => done()));
process.exit(exitCode);
