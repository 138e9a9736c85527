import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Job } from './job.js';
import { JobContext } from './job-context.js';
import type { Logger } from './logger.js';
import type { StageEnd } from './stage.js';

const job = (id: string, functionId?: string) => ({ id, functionId, runtime: 'shell', attempt: 1 }) as Job;

function lab() {
  const lines: Record<string, unknown>[] = [];
  const clock = { ms: 0 };
  const logger = (bindings: object): Logger => {
    const write = (level: string) => (first: object | string, message?: string) => {
      const fields = typeof first === 'string' ? { msg: first } : { ...first, msg: message };
      lines.push({ level, ...bindings, ...fields });
    };
    const [trace, debug, info, warn, error] = ['trace', 'debug', 'info', 'warn', 'error'].map(write);
    return { trace, debug, info, warn, error, child: (more: object) => logger({ ...bindings, ...more }) } as Logger;
  };
  return { jobs: new JobContext(logger({}), () => clock.ms), lines, clock };
}

test('lines from deep inside name the job that runs, also of several at once and of children made before', async () => {
  const { jobs, lines } = lab();
  const plugin = jobs.log.child({ plugin: 'audit' });
  const deep = async () => {
    await sleep(1);
    await Promise.all([sleep(1), new Promise(setImmediate)]);
    plugin.warn({ detail: 1 }, 'deep');
  };
  const runs = ['a', 'b', 'c'].map((id) =>
    jobs.run(async () => {
      jobs.accept(job(id, `f-${id}`), 0);
      jobs.enter('exec');
      await deep();
    }),
  );
  await Promise.all(runs);
  plugin.warn('between jobs');
  expect(lines.filter(({ msg }) => msg === 'deep')).toEqual(
    ['a', 'b', 'c'].map((id) => {
      return {
        level: 'warn',
        plugin: 'audit',
        jobId: id,
        functionId: `f-${id}`,
        stage: 'exec',
        detail: 1,
        msg: 'deep',
      };
    }),
  );
  expect(lines.at(-1)).toEqual({ level: 'warn', plugin: 'audit', msg: 'between jobs' });
});

test('what outlives the job that caused it names no job', async () => {
  const { jobs, lines } = lab();
  let later: Promise<void> | undefined;
  jobs.run(() => {
    jobs.accept(job('a'), 0);
    later = jobs.outside(async () => {
      await sleep(1);
      jobs.log.info('container lost');
    });
  });
  await later;
  expect(lines.at(-1)).toEqual({ level: 'info', msg: 'container lost' });
});

test('each stage has one line, with its outcome and its time', () => {
  const { jobs, lines, clock } = lab();
  jobs.run(() => {
    jobs.accept(job('a', 'f'), 12);
    clock.ms = 2;
    jobs.enter('fetch');
    clock.ms = 5.0004;
    jobs.fail();
    jobs.enter('publish');
    jobs.enter('settle');
    jobs.leave('released');
  });
  const fields = { level: 'debug', jobId: 'a', functionId: 'f', msg: 'stage ended' };
  expect(lines).toEqual([
    { ...fields, level: 'info', stage: 'receive', outcome: 'accepted', msg: 'job accepted', ...told },
    { ...fields, stage: 'receive', outcome: 'done', ms: 2 },
    { ...fields, stage: 'fetch', outcome: 'failed', ms: 3 },
    { ...fields, stage: 'publish', outcome: 'done', ms: 0 },
    { ...fields, stage: 'settle', outcome: 'released', ms: 0 },
  ]);
});

const told = { runtime: 'shell', attempt: 1, queueMs: 12 };

test('outside of a job it does nothing', () => {
  const { jobs, lines } = lab();
  jobs.enter('fetch');
  jobs.leave();
  jobs.fail();
  jobs.identify('a', 'b');
  jobs.log.error({ err: 1 }, 'alone');
  expect(lines).toEqual([{ level: 'error', err: 1, msg: 'alone' }]);
});

test('listeners are told of the end of each stage, outside of the job', () => {
  const { jobs, lines, clock } = lab();
  const ends: StageEnd[] = [];
  jobs.onStageEnd((end) => {
    ends.push(end);
    jobs.log.info('told');
  });
  const a = job('a', 'f');
  const before = Date.now();
  clock.ms = 10;
  jobs.run(() => {
    jobs.accept(a, 12);
    clock.ms = 12;
    jobs.enter('fetch');
    clock.ms = 17;
    jobs.fail();
    jobs.enter('settle');
    jobs.leave('retry');
  });
  expect(ends.map(({ startedAt: _, ...end }) => end)).toEqual([
    { job: a, stage: 'receive', durationMs: 2, outcome: 'done' },
    { job: a, stage: 'fetch', durationMs: 5, outcome: 'failed' },
    { job: a, stage: 'settle', durationMs: 0, outcome: 'retry' },
  ]);
  const [receive, fetch, settle] = ends.map(({ startedAt }) => startedAt) as [number, number, number];
  expect([fetch - receive, settle - receive]).toEqual([2, 7]);
  expect(receive).toBeGreaterThanOrEqual(before);
  expect(ends.every(({ job: told }) => told === a)).toBe(true);
  expect(lines.filter(({ msg }) => msg === 'told')).toEqual(Array(3).fill({ level: 'info', msg: 'told' }));
});
