/** `npm run demo`: sets up what is missing, then runs the main job end to end. */

import { setUp, tellFailure } from './setup.mjs';

try {
  const { startedPid } = await setUp();
  try {
    await import(new URL('../examples/demo/demo.mjs', import.meta.url).href);
  } finally {
    if (startedPid !== undefined) {
      console.log(`The Docker engine that was started for the demo still runs; stop it with: kill ${startedPid}`);
    }
  }
} catch (error) {
  tellFailure(error);
  process.exitCode = 1;
}
