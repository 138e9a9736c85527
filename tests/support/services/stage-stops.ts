/** A plugin that tells the process which started the worker what stage each job has reached, and holds the jobs that it is told to. Owns the jobs that are held. */

import { definePlugin, type Job } from '@nanogrid/core';

/** The five hooks. */
export type HookStage = 'beforeFetch' | 'afterExtract' | 'beforeExec' | 'afterExec' | 'onResult';

/** From the worker: a job has reached a stage, or what was asked is done. */
export type FromWorker =
  | { readonly stage: HookStage; readonly job: string; readonly attempt: number }
  | { readonly done: number };
/** To the worker: hold this job there, or let all that are held go on. */
export type ToWorker = {
  readonly id: number;
  readonly hold: { readonly stage: HookStage; readonly job: string } | 'none';
};

export const stageStops = definePlugin({
  name: 'nanogrid-test-stage-stops',
  version: '0.1.0',
  core: '^0.1.0',
  optionsSchema: { type: 'object', additionalProperties: false, properties: {} },
  apply(host) {
    const tell = (message: FromWorker) => process.send?.(message);
    const holds = new Set<string>();
    let letGo: (() => void)[] = [];
    process.on('message', ({ id, hold }: ToWorker) => {
      if (hold === 'none') {
        holds.clear();
        for (const go of letGo) go();
        letGo = [];
      } else holds.add(`${hold.stage} ${hold.job}`);
      tell({ done: id });
    });
    // The channel is no reason for the worker to live on.
    process.channel?.unref();

    async function reach(stage: HookStage, { id: job, attempt }: Job): Promise<void> {
      tell({ stage, job, attempt });
      if (holds.has(`${stage} ${job}`)) await new Promise<void>((resolve) => letGo.push(resolve));
    }
    const { beforeFetch, afterExtract, beforeExec, afterExec, onResult } = host.hooks;
    beforeFetch.tapPromise('hold', async (job) => {
      await reach('beforeFetch', job);
      return undefined;
    });
    afterExtract.tapPromise('hold', (job) => reach('afterExtract', job));
    beforeExec.tapPromise('hold', async (spec, job) => {
      await reach('beforeExec', job);
      return spec;
    });
    afterExec.tapPromise('hold', async (result, _report, job) => {
      await reach('afterExec', job);
      return result;
    });
    onResult.tapPromise('hold', (_result, job) => reach('onResult', job));
  },
});
