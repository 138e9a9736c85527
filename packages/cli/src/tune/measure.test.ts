import { describe, expect, test } from 'vitest';
import { measureSizes, type SizeRunner } from './measure.js';
import { allSizes, nameOf, type Size } from './size.js';

const well = (durationMs: number, peakMemoryBytes = 1) => ({
  requestId: 'j',
  status: 'SUCCESS',
  durationMs,
  peakMemoryBytes,
});
const failed = (errorCode: string) => ({
  requestId: 'j',
  status: 'FAILED',
  errorCode,
  errorMessage: `no: ${errorCode}`,
});

/** Answers with what is told of each size, in order; `asked` is what it was asked for. */
function runnerOf(told: Record<string, readonly object[]>) {
  const asked: string[] = [];
  const runner: SizeRunner = {
    async run(size) {
      const name = nameOf(size);
      const record = told[name]?.[asked.filter((one) => one === name).length] as Record<string, unknown>;
      asked.push(name);
      return { record, cpus: size.cpus ?? 2 };
    },
    close: async () => {},
  };
  return { runner, asked };
}

async function measure(runner: SizeRunner, sizes: readonly Size[], runs = 2) {
  const seen: string[] = [];
  const measured = await measureSizes(runner, {
    sizes,
    runs,
    onRun: (size, run) => seen.push(`${nameOf(size)} ${run}`),
    onFailure: (size) => seen.push(`${nameOf(size)} failed`),
  });
  return { measured, seen };
}

describe('sizes', () => {
  test('are every memory with every share, each once, from small to large', () => {
    expect(allSizes([256, 64, 64], [1, 0.25]).map(nameOf)).toEqual([
      '64 MiB, 0.25 CPU',
      '64 MiB, 1 CPU',
      '256 MiB, 0.25 CPU',
      '256 MiB, 1 CPU',
    ]);
    expect(allSizes([1_024, 128], undefined).map(nameOf)).toEqual(['128 MiB', '1024 MiB']);
  });
});

describe('each size', () => {
  test('runs once more than is counted, and its largest peak is kept', async () => {
    const { runner } = runnerOf({ '64 MiB': [well(90, 5), well(10, 9), well(12, 7)] });
    const { measured, seen } = await measure(runner, allSizes([64], undefined));
    expect(measured).toEqual([
      { memoryMb: 64, cpus: 2, firstMs: 90, timesMs: [10, 12], peakMemoryBytes: 9, failure: undefined },
    ]);
    expect(seen).toEqual(['64 MiB 0', '64 MiB 1', '64 MiB 2']);
  });

  test.each([
    ['in its first run', [failed('NG_OUT_OF_MEMORY')], { firstMs: undefined, timesMs: [] }],
    ['in a later run', [well(9), well(5), failed('NG_OUT_OF_MEMORY')], { firstMs: 9, timesMs: [5] }],
  ])('that fails %s is left with its reason, and the next one is tried', async (_name, records, times) => {
    const { runner, asked } = runnerOf({ '64 MiB': records, '128 MiB': [well(3), well(3), well(3)] });
    const { measured } = await measure(runner, allSizes([64, 128], undefined));
    const failure = { errorCode: 'NG_OUT_OF_MEMORY', errorMessage: 'no: NG_OUT_OF_MEMORY' };
    expect(measured[0]).toMatchObject({ ...times, failure });
    expect(measured[1]).toMatchObject({ timesMs: [3, 3], failure: undefined });
    expect(asked).toHaveLength(records.length + 3);
  });

  test('has its turn: all run once before any runs twice', async () => {
    const { runner } = runnerOf({ '64 MiB': [well(1), failed('NG_TIMEOUT')], '128 MiB': [well(1), well(1), well(1)] });
    const { seen } = await measure(runner, allSizes([64, 128], undefined));
    expect(seen).toEqual(['64 MiB 0', '128 MiB 0', '64 MiB 1', '64 MiB, 2 CPU failed', '128 MiB 1', '128 MiB 2']);
  });

  test('is read in the dialect of a controller, too', async () => {
    const record = { job_id: 'j', status: 'completed', execution_time_ms: 7, peak_memory_mb: 2 };
    const { runner } = runnerOf({ '64 MiB': [record, record] });
    const { measured } = await measure(runner, allSizes([64], undefined), 1);
    expect(measured[0]).toMatchObject({ firstMs: 7, timesMs: [7], peakMemoryBytes: 2 ** 21 });
  });
});

test('where nothing can run at all, that is told', async () => {
  const runner: SizeRunner = { run: () => Promise.reject(new Error('no engine')), close: async () => {} };
  await expect(measure(runner, allSizes([64], undefined))).rejects.toThrow('no engine');
});
