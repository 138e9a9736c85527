/**
 * Everything that is timed: ours and the baselines, each as a side with a way to take one sample. A side gives
 * milliseconds unless it says `unit`, and fails where what came out is not right. Owns no state of its own.
 */

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { runBare } from './bare-process.mjs';
import { startCommand } from './command-start.mjs';
import { expectEqual, timed } from './timed.mjs';

/** @typedef {{ value: number, phases?: object }} Sample */
/** @typedef {{ perRound: number, warmUp: number, every?: number, sample: () => Promise<Sample>, settle?: () => Promise<void> }} Side */

const INPUT = { name: 'bench' };
const PAYLOAD = JSON.stringify(INPUT);
const ENV = [`PAYLOAD=${PAYLOAD}`];
/** What the hello function answers. */
export const GREETING = { hello: 'bench' };
const IN_FLIGHT = 8;
const THROUGHPUT_JOBS = 300;
const THROUGHPUT_EXECS = 48;

const read = (name) => readFileSync(new URL(`../functions/${name}`, import.meta.url), 'utf8');
const CODE = {
  hello: read('hello.py'),
  handler: read('handler.py'),
  numeric: read('numeric.py'),
  shell: read('main.sh'),
};
/** The source of the hello function. */
export const HELLO = CODE.hello;

/** Times a bare process from inside the container, where the same Python and the same packages are. */
const TIME_INSIDE = `import subprocess, time
begun = time.perf_counter()
subprocess.run(["python3", "numeric.py"], check=True, stdout=subprocess.DEVNULL)
print((time.perf_counter() - begun) * 1000)`;

/** Calls the handler as a program of its own would. */
const CALL_HANDLER = `import json, os, handler
print(json.dumps(handler.handler(json.loads(os.environ["PAYLOAD"]), None)))`;

const greets = (text) => expectEqual(JSON.parse(text), GREETING);

/**
 * The baselines: the Engine API, and the bare process.
 *
 * @returns {Promise<Record<string, Side>>}
 */
export async function baselineSides({ engine, pythonImage, shellImage, python, signal }) {
  const warmPython = await engine.warmContainer(pythonImage, {
    'hello.py': CODE.hello,
    'handler.py': CODE.handler,
    'numeric.py': CODE.numeric,
  });
  const warmShell = await engine.warmContainer(shellImage, { 'main.sh': CODE.shell });
  const exec = (container, command, check) => () => timed(() => engine.exec(container, command, ENV), check);
  const hello = ['python3', 'hello.py'];
  const script = fileURLToPath(new URL('../functions/hello.py', import.meta.url));
  return {
    'exec python': { perRound: 8, warmUp: 3, sample: exec(warmPython, hello, greets) },
    'exec handler': { perRound: 5, warmUp: 2, sample: exec(warmPython, ['python3', '-c', CALL_HANDLER], greets) },
    'exec numeric': {
      perRound: 1,
      warmUp: 1,
      sample: exec(warmPython, ['python3', 'numeric.py'], (text) => expectEqual(text.trim(), '45')),
    },
    'bare numeric': {
      perRound: 1,
      warmUp: 1,
      sample: async () => ({ value: Number(await engine.exec(warmPython, ['python3', '-c', TIME_INSIDE])) }),
    },
    'exec shell': {
      perRound: 5,
      warmUp: 2,
      sample: exec(warmShell, ['sh', 'main.sh'], (text) => expectEqual(JSON.parse(text), { hello: 'shell' })),
    },
    'container per job': {
      perRound: 2,
      warmUp: 1,
      sample: () => timed(() => engine.containerPerJob(pythonImage, ['python3', '-c', CODE.hello], ENV), greets),
    },
    'exec throughput': {
      perRound: 1,
      warmUp: 0,
      every: 3,
      sample: () => throughput(THROUGHPUT_EXECS, async () => greets(await engine.exec(warmPython, hello, ENV))),
    },
    ...(python && {
      'bare python': {
        perRound: 8,
        warmUp: 3,
        sample: () => timed(() => runBare(python.path, script, { PAYLOAD }, signal), greets),
      },
    }),
  };
}

/**
 * Ours, on one worker.
 *
 * @param {{ worker: import('./bench-worker.mjs').BenchWorker, signal: AbortSignal }} options
 * @returns {Promise<Record<string, Side>>}
 */
export async function ownSides({ worker, signal }) {
  const job = async (file, code, fields) => ({ s3Key: await worker.put({ [file]: code }), input: INPUT, ...fields });
  const hello = await job('main.py', CODE.hello, { runtime: 'python' });
  const handler = await job('main.py', CODE.handler, { runtime: 'python', handler: 'main.handler' });
  const numeric = await job('main.py', CODE.numeric, { runtime: 'python' });
  const shell = await job('main.sh', CODE.shell, { runtime: 'shell' });
  const run = async (fields, wanted) => {
    const { ms, result } = await worker.run(fields, signal);
    expectEqual(result.result, wanted);
    return { value: ms, phases: result.phases };
  };
  let serial = 0;
  return {
    'own script': { perRound: 30, warmUp: 150, sample: () => run(hello, GREETING) },
    'own script, paced': {
      perRound: 30,
      warmUp: 5,
      sample: async () => {
        await sleep(5);
        return run(hello, GREETING);
      },
    },
    'own handler': { perRound: 30, warmUp: 50, sample: () => run(handler, GREETING) },
    'own numeric': { perRound: 8, warmUp: 10, sample: () => run(numeric, 45) },
    'own shell': { perRound: 30, warmUp: 50, sample: () => run(shell, { hello: 'shell' }) },
    'own new function': {
      perRound: 2,
      warmUp: 1,
      sample: async () => {
        const fresh = await job('main.py', `${CODE.hello}# version ${++serial}\n`, { runtime: 'python' });
        await worker.untilIdle('python', signal);
        return run(fresh, GREETING);
      },
      // Its replacement is being started meanwhile; that is not the next side's affair.
      settle: () => worker.untilIdle('python', signal),
    },
    'own throughput': {
      perRound: 1,
      warmUp: 1,
      every: 3,
      sample: () => throughput(THROUGHPUT_JOBS, () => run(hello, GREETING)),
      settle: () => worker.untilIdle('python', signal),
    },
    'own start': {
      perRound: 1,
      warmUp: 0,
      every: 2,
      sample: () => startCommand(signal),
    },
  };
}

/** Jobs per second with so many in flight all the time. */
export async function throughput(jobs, run, inFlight = IN_FLIGHT) {
  let left = jobs;
  const begun = performance.now();
  const line = async () => {
    while (left > 0) {
      left -= 1;
      await run();
    }
  };
  await Promise.all(Array.from({ length: inFlight }, line));
  return { value: (jobs / (performance.now() - begun)) * 1000 };
}
