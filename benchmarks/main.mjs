/** One run of the benchmarks: both sides in turn, a table, and the files in `results/`. Run it with `npm run bench`. */

import { setMaxListeners } from 'node:events';
import { fileURLToPath } from 'node:url';
import { ImageStore } from '@nanogrid/core';
import { python as pythonRuntime } from '@nanogrid/runtime-python';
import { hostPython } from './lib/bare-process.mjs';
import { BenchWorker, runtimesOf, shell } from './lib/bench-worker.mjs';
import { DataPlane, dataPlaneSides } from './lib/data-plane.mjs';
import { EngineBaselines } from './lib/engine-baselines.mjs';
import { FEATURES, FeatureWorkers } from './lib/feature-worker.mjs';
import { HttpFront, httpSides } from './lib/http-sides.mjs';
import { KEPT_FUNCTIONS, languageBaselines, languageSides } from './lib/language-sides.mjs';
import { loadLanguages } from './lib/languages.mjs';
import { describeMachine } from './lib/machine.mjs';
import { measure } from './lib/measure.mjs';
import { growthSamples, idleSamples } from './lib/once.mjs';
import { makeResults, renderTable, rowsLeftOut, writeResults } from './lib/report.mjs';
import { baselineSides, GREETING, HELLO, ownSides } from './lib/sides.mjs';
import { expectEqual } from './lib/timed.mjs';

/** A run that hangs ends by itself. */
const DEADLINE_MS = 10 * 60_000;
/** Many functions are called once; none of them shall be evicted while another row is measured. */
const SETTINGS = { pool: { maxContainers: 64 } };

/**
 * Returns true when every target was met.
 *
 * @param {{ rounds: number, interrupted: AbortSignal, folder?: string, say?: (text: string) => void }} options
 */
export async function runBenchmarks({ rounds, interrupted, folder, say = console.error }) {
  const begun = performance.now();
  const signal = AbortSignal.any([interrupted, AbortSignal.timeout(DEADLINE_MS)]);
  setMaxListeners(0, signal);
  const engine = new EngineBaselines();
  let worker;
  let plane;
  let front;
  let features;
  try {
    const python = await hostPython();
    const machine = await describeMachine(engine.docker, python);
    if (machine.loadBefore > machine.processors / 4)
      say(`The machine is busy (load ${machine.loadBefore}): do not trust the figures.`);
    if (python === undefined) say('This host has no python3: the row against its bare process is left out.');
    const languages = await loadLanguages();
    const settings = { ...SETTINGS, ...(languages.reuse && { reuse: { functions: KEPT_FUNCTIONS } }) };
    settings.runtimes = runtimesOf(languages);
    say('starting a worker (the first time its images are built, which takes a minute or two)');
    worker = await BenchWorker.start({ signal, settings, onProgress: imageProgress(say) });
    const images = new ImageStore(engine.docker);
    const imageOf = async (runtime) => (await images.status(runtime)).tag;
    const [pythonImage, shellImage] = await Promise.all([pythonRuntime(), shell].map(imageOf));
    const baselines = {
      ...(await baselineSides({ engine, pythonImage, shellImage, python, signal })),
      ...(await languageBaselines({ engine, languages, imageOf })),
    };
    plane = await DataPlane.start({ code: HELLO, signal });
    const { 'bare data plane': roundTrips, ...throughServices } = dataPlaneSides({ plane, greeting: GREETING });
    baselines['bare data plane'] = roundTrips;
    front = await HttpFront.start({ signal });
    const http = await httpSides({ front, worker, signal });
    Object.assign(baselines, http.baselines);
    features = await FeatureWorkers.start({ signal });
    const check = (result) => expectEqual(result, GREETING);
    const hello = { code: HELLO, input: { name: 'bench' }, check, signal };
    baselines['script without features'] = await features.side({ ...hello, names: [] });
    const own = {
      'script with features': await features.side({ ...hello, names: FEATURES }),
      ...(await ownSides({ worker, signal })),
      ...(await languageSides({ worker, languages, signal })),
      ...throughServices,
      ...http.own,
    };
    const samples = await measure(alternate(own, baselines), { rounds, signal, say });
    // What a worker takes that does nothing, and what many functions change, each alone on the machine.
    await Promise.all([engine.close(), worker.stop(), plane.stop(), front.stop(), features.stop()]);
    worker = undefined;
    say('an idle worker');
    Object.assign(samples, await idleSamples({ signal }));
    say('one busy function among many');
    Object.assign(samples, await growthSamples({ signal, say }));
    const results = makeResults(samples);
    console.log(`${machine.cpu}, ${machine.processors} processors, Docker ${machine.engine}, Node ${machine.node}\n`);
    console.log(renderTable(results));
    const leftOut = rowsLeftOut(samples);
    for (const row of leftOut) console.log(`left out: ${row}`);
    if (leftOut.length > 0) for (const reason of languages.missing) console.log(`  ${reason}`);
    await writeResults(folder ?? fileURLToPath(new URL('./results/', import.meta.url)), results, {
      ...machine,
      rounds,
    });
    say(`done after ${((performance.now() - begun) / 1000).toFixed(0)} s`);
    return results.every(({ result }) => result.met !== false);
  } finally {
    say('removing containers');
    await Promise.all([engine.close(), worker?.stop(), plane?.stop(), front?.stop(), features?.stop()]);
  }
}

/** One of ours, one of theirs, and so on: neither has the better part of a round. */
function alternate(own, baselines) {
  const [ours, theirs] = [Object.entries(own), Object.entries(baselines)];
  const mixed = ours.flatMap((entry, index) => [entry, ...theirs.slice(index, index + 1)]);
  return Object.fromEntries([...mixed, ...theirs.slice(ours.length)]);
}

/** Says each new step of an image once. */
function imageProgress(say) {
  let last = '';
  return ({ image, message }) => {
    const step = `${image}: ${/^Step \d+\/\d+/.exec(message)?.[0] ?? ''}`;
    if (step !== last) say(`  ${step}`);
    last = step;
  };
}
