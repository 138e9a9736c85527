/** The sides of languages that come in packages of their own, and of handlers that stay loaded: those that are here. Owns no state. */

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expectEqual, timed } from './timed.mjs';

/** @typedef {import('./sides.mjs').Side} Side */

const INPUT = { name: 'bench' };
const GREETING = { hello: 'bench' };
const COMPILED = { hello: 'compiled' };
const ENV = [`PAYLOAD=${JSON.stringify(INPUT)}`];
/** Five a second. */
const PACE_MS = 200;
/** Functions whose processes stay: `reuse.functions` of the worker's settings. */
export const KEPT_FUNCTIONS = { 'kept-python': 'process', 'kept-node': 'process' };

const read = (name) => readFileSync(new URL(`../functions/${name}`, import.meta.url), 'utf8');
/** How the baseline gets its binary, in the runtime's own image. */
const COMPILERS = {
  cpp: { source: 'main.cpp', code: read('hello.cpp'), build: 'g++ -O2 -o hello main.cpp' },
  go: {
    source: 'main.go',
    code: read('hello.go'),
    build: 'GOCACHE=/tmp/cache GO111MODULE=off go build -o hello main.go',
  },
};

/**
 * `docker exec` of the same code in the same image.
 *
 * @returns {Promise<Record<string, Side>>}
 */
export async function languageBaselines({ engine, languages, imageOf }) {
  const sides = {};
  const { node, ...rest } = languages.runtimes;
  if (node) {
    const container = await engine.warmContainer(await imageOf(node), { 'index.js': read('hello.js') });
    const sample = () => timed(() => engine.exec(container, ['node', 'index.js'], ENV), greets(GREETING));
    sides['exec node'] = { perRound: 5, warmUp: 2, sample };
  }
  for (const [name, runtime] of Object.entries(rest)) {
    const { source, code, build } = COMPILERS[name];
    const container = await engine.warmContainer(await imageOf(runtime), { [source]: code });
    await engine.exec(container, ['sh', '-c', build]);
    const sample = () => timed(() => engine.exec(container, ['./hello']), greets(COMPILED));
    sides[`exec ${name}`] = { perRound: 5, warmUp: 2, sample };
  }
  return sides;
}

/**
 * Ours, on one worker.
 *
 * @returns {Promise<Record<string, Side>>}
 */
export async function languageSides({ worker, languages, signal }) {
  const sides = {};
  const side = async (file, code, fields, wanted, more) => {
    const job = { s3Key: await worker.put({ [file]: code }), input: INPUT, ...fields };
    const run = async () => {
      const { ms, result } = await worker.run(job, signal);
      expectEqual(result.result, wanted);
      return { value: ms, phases: result.phases };
    };
    return { perRound: 30, warmUp: 50, sample: run, ...more };
  };
  if (languages.runtimes.node) {
    sides['own node'] = await side('index.js', read('hello.js'), { runtime: 'node' }, GREETING, { warmUp: 20 });
    const { sample } = sides['own node'];
    const paced = () => sleep(PACE_MS, undefined, { signal }).then(sample);
    sides['own node, paced'] = { perRound: 5, warmUp: 3, sample: paced };
  }
  for (const name of Object.keys(COMPILERS)) {
    if (!languages.runtimes[name]) continue;
    const { source, code } = COMPILERS[name];
    // The first run compiles; it is part of the warm-up.
    sides[`own ${name}`] = await side(source, code, { runtime: name }, COMPILED);
  }
  if (languages.reuse) {
    const kept = (runtime) => ({
      runtime,
      handler: runtime === 'node' ? 'index.handler' : 'main.handler',
      functionId: `kept-${runtime}`,
    });
    sides['own kept python'] = await side('main.py', read('handler.py'), kept('python'), GREETING);
    if (languages.runtimes.node)
      sides['own kept node'] = await side('index.js', read('handler.js'), kept('node'), GREETING);
  }
  return sides;
}

const greets = (wanted) => (text) => expectEqual(JSON.parse(text), wanted);
