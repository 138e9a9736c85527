/** Workers with plugins that observe and without, each in a process of its own, as a side of a benchmark. Owns these processes. */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The plugins, in the order in which a worker has them. */
export const FEATURES = ['autotuner', 'llmMetering', 'cost', 'prometheus', 'cloudwatch', 'opentelemetry'];

/** Jobs that each worker runs at once before the first sample. */
const WARM_UP_JOBS = 2_500;

export class FeatureWorkers {
  #sink;
  #children = [];

  /** Starts the place that plugins send to. */
  static async start({ signal }) {
    const workers = new FeatureWorkers();
    workers.#sink = workers.#fork('./feature-sink.mjs');
    [workers.endpoint] = await once(workers.#sink, 'message', { signal });
    return workers;
  }

  /**
   * Starts a worker with these plugins, and a function on it; its side takes one job after another, 5 ms apart.
   *
   * @param {{ names: readonly string[], code: string, input: unknown, check: (result: unknown) => void, signal: AbortSignal, perRound?: number }} options
   * @returns {Promise<import('./sides.mjs').Side>}
   */
  async side({ names, code, input, check, signal, perRound = 30 }) {
    const child = this.#fork('./feature-process.mjs', [this.endpoint, ...names]);
    // One listener for all answers.
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`a worker ended before it answered: ${code}`);
    });
    ended.catch(() => {});
    const answer = async () => (await Promise.race([once(child, 'message', { signal }), ended]))[0];
    child.send({ code, input, warmUpJobs: WARM_UP_JOBS });
    await answer();
    const sample = async () => {
      child.send('run');
      const { ms, result, cpuMs } = await answer();
      check(result.result);
      return { value: ms, phases: { ...result.phases, worker: cpuMs } };
    };
    // Its containers rest after so many jobs at once, and it finds its pace.
    return { perRound, warmUp: 50, sample };
  }

  #fork(script, argv = []) {
    // Not what this process was started with: a debugger's port, or a way to give the program.
    const env = { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' };
    const child = fork(fileURLToPath(new URL(script, import.meta.url)), argv, { env, execArgv: [] });
    this.#children.push(child);
    return child;
  }

  /** The end of their channels is the order to stop. */
  async stop() {
    const ends = this.#children.splice(0).map(async (child) => {
      if (child.exitCode !== null) return;
      const exited = once(child, 'exit');
      if (child.connected) child.disconnect();
      await exited;
    });
    await Promise.all(ends);
  }
}
