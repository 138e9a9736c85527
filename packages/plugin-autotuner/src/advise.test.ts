import { describe, expect, test } from 'vitest';
import { type AdviceOptions, advise } from './advise.js';
import { FunctionModel } from './function-model.js';
import { writeTip } from './write-tip.js';

const MIB = 2 ** 20;
const HOUR = 3_600_000;
const NOTHING = { lowers: false, raises: false };
const options: AdviceOptions = {
  ladder: [128, 256, 512, 1_024, 2_048],
  quantile: 0.99,
  headroom: 0.25,
  minHeadroomMb: 32,
  minSamples: 20,
  minSamplesAfterKill: 0,
  minObservationMs: HOUR,
  pricePerGbSecond: 0.0000166667,
  currency: 'USD',
};

interface Jobs {
  readonly peakMb: number;
  readonly count?: number;
  readonly everyMs?: number;
  readonly durationMs?: number;
}

function modelOf({ peakMb, count = 20, everyMs = 0, durationMs = 1_000 }: Jobs): FunctionModel {
  const model = new FunctionModel(1e12, 0);
  for (let job = 0; job < count; job++) {
    model.add({ atMs: job * everyMs, durationMs, killedAtMb: undefined, peakBytes: peakMb * MIB });
  }
  return model;
}

function kill(model: FunctionModel, memoryMb: number): FunctionModel {
  model.add({ atMs: 0, durationMs: 1, killedAtMb: memoryMb, peakBytes: undefined });
  return model;
}

describe('the recommended size', () => {
  test.each([
    [10, 128],
    [96, 128],
    [97, 256],
    [128, 256],
    [204, 256],
    [205, 512],
    [819, 1_024],
    [820, 2_048],
  ])('of a need of %d MiB is %d MiB: with a quarter more, and 32 MiB at least', (peakMb, recommendedMemoryMb) => {
    expect(advise(modelOf({ peakMb }), 4_096, options)).toMatchObject({ verdict: 'lower', recommendedMemoryMb });
  });

  test('holds the rare peak, too, though without head-room', () => {
    const model = modelOf({ peakMb: 50, count: 1_000 });
    model.add({ atMs: 0, durationMs: 1, killedAtMb: undefined, peakBytes: 500 * MIB });
    const advice = advise(model, 1_024, options);
    expect(advice).toMatchObject({ recommendedMemoryMb: 512, quantilePeakBytes: 50 * MIB, maxPeakBytes: 500 * MIB });
  });

  test('is above every limit that it was killed at', () => {
    expect(advise(kill(modelOf({ peakMb: 10 }), 256), 1_024, options)).toMatchObject({
      verdict: 'lower',
      recommendedMemoryMb: 512,
    });
    expect(advise(kill(modelOf({ peakMb: 10 }), 512), 1_024, options).verdict).toBe('keep');
  });

  test('is none where the limit fits, also between two sizes, or above the ladder', () => {
    expect(advise(modelOf({ peakMb: 100 }), 256, options)).toMatchObject({ verdict: 'keep', samples: 20 });
    expect(advise(modelOf({ peakMb: 100 }), 200, options)).not.toHaveProperty('recommendedMemoryMb');
    expect(advise(modelOf({ peakMb: 2_000 }), 8_192, options).verdict).toBe('keep');
  });
});

describe('too few samples', () => {
  test('make no recommendation, whatever they say', () => {
    for (const peakMb of [1, 127]) {
      const model = modelOf({ peakMb, count: 19 });
      const advice = advise(model, 128, options);
      expect(advice).toMatchObject({ verdict: 'collecting', samples: 19, minSamples: 20 });
      expect(advice).not.toHaveProperty('recommendedMemoryMb');
      expect(writeTip(advice, 'en', NOTHING)).toBeUndefined();
    }
  });

  test('but one kill is enough', () => {
    const advice = advise(kill(modelOf({ peakMb: 1, count: 1 }), 128), 128, options);
    expect(advice).toMatchObject({ verdict: 'raise', recommendedMemoryMb: 256, killedAtMb: 128 });
    expect(advise(kill(modelOf({ peakMb: 1, count: 1 }), 128), 256, options).verdict).toBe('collecting');
  });
});

describe('the opposite advice', () => {
  test.each([
    [230, 256, 'keep'],
    [231, 256, 'raise'],
  ])('a peak of %d of %d MiB: %s', (peakMb, memoryMb, verdict) => {
    expect(advise(modelOf({ peakMb }), memoryMb, options).verdict).toBe(verdict);
  });

  test('has no size where the ladder ends', () => {
    const advice = advise(modelOf({ peakMb: 2_040 }), 2_048, options);
    expect(advice.verdict).toBe('raise');
    expect(advice).not.toHaveProperty('recommendedMemoryMb');
  });

  test('is the largest size where the head-room does not fit, and none where it was killed there', () => {
    const needy = advise(modelOf({ peakMb: 2_000 }), 1_024, options);
    expect(needy).toMatchObject({ verdict: 'raise', recommendedMemoryMb: 2_048 });
    const hopeless = advise(kill(modelOf({ peakMb: 1 }), 2_048), 256, options);
    expect(hopeless.verdict).toBe('raise');
    expect(hopeless).not.toHaveProperty('recommendedMemoryMb');
    expect(writeTip(hopeless, 'en', NOTHING)).toMatch(/no size above 2048 MiB is allowed: .* killed .* at 2048 MiB\.$/);
  });
});

describe('the saving', () => {
  // 1,024 - 256 MiB is 0.75 GB; for 2 s that is 1.5 GB-seconds a run.
  const jobs = { peakMb: 150, durationMs: 2_000, count: 121, everyMs: 60_000 };

  test('adds up by hand', () => {
    const advice = advise(modelOf(jobs), 1_024, options);
    expect(advice.savingPerMillionRuns).toBeCloseTo(1.5 * 16.6667, 6);
    expect(advice.runsPerMonth).toBeCloseTo(30 * 24 * 60, 0);
    expect(advice.savingPerMonth).toBeCloseTo(43_200 * 1.5 * 0.0000166667, 4);
    expect(advice).toMatchObject({ meanDurationMs: 2_000, currency: 'USD', pricePerGbSecond: 0.0000166667 });
  });

  test('is not told of a month after less than an hour', () => {
    const advice = advise(modelOf({ ...jobs, everyMs: 1 }), 1_024, options);
    expect(advice).toHaveProperty('savingPerMillionRuns');
    expect(advice).not.toHaveProperty('savingPerMonth');
    expect(writeTip(advice, 'en', NOTHING)).toMatch(/saves about 25\.00 USD per million runs\.$/);
  });
});

describe('tips', () => {
  const lower = advise(modelOf({ peakMb: 150, count: 1_440, everyMs: 60_000 }), 1_024, options);
  const killed = advise(kill(modelOf({ peakMb: 1 }), 128), 128, options);
  const near = advise(modelOf({ peakMb: 120 }), 128, options);
  const largest = advise(modelOf({ peakMb: 2_040 }), 2_048, options);

  test.each([
    [
      lower,
      'Lower the memory limit from 1024 MiB to 256 MiB: the function needs at most 150 MiB, by 1,440 runs, and this saves about 0.54 USD a month.',
      '메모리 한도를 1024 MiB에서 256 MiB로 낮추세요: 실행 1,440회 기준으로 함수는 최대 150 MiB를 사용하며, 월 약 0.54 USD를 절약할 수 있습니다.',
    ],
    [
      killed,
      'Raise the memory limit from 128 MiB to 256 MiB: the function was killed for want of memory at 128 MiB.',
      '메모리 한도를 128 MiB에서 256 MiB로 높이세요: 함수가 128 MiB 한도에서 메모리 부족으로 강제 종료되었습니다.',
    ],
    [
      near,
      'Raise the memory limit from 128 MiB to 256 MiB: the function needs up to 120 MiB, which leaves less than 10 % free.',
      '메모리 한도를 128 MiB에서 256 MiB로 높이세요: 함수가 최대 120 MiB를 사용하여 여유가 10 % 미만입니다.',
    ],
    [
      largest,
      'Make the function hold less in memory, since no size above 2048 MiB is allowed: the function needs up to 2040 MiB, which leaves less than 10 % free.',
      '2048 MiB보다 큰 크기는 허용되지 않으므로 함수의 메모리 사용량을 줄이세요: 함수가 최대 2040 MiB를 사용하여 여유가 10 % 미만입니다.',
    ],
  ])('$verdict to $recommendedMemoryMb', (advice, en, ko) => {
    expect(writeTip(advice, 'en', NOTHING)).toBe(en);
    expect(writeTip(advice, 'ko', NOTHING)).toBe(ko);
  });

  test('of a saving that is next to nothing still have a figure', () => {
    const small = advise(modelOf({ peakMb: 150, count: 25, durationMs: 1, everyMs: HOUR }), 512, options);
    expect(writeTip(small, 'en', NOTHING)).toMatch(/saves about 0\.000003 USD a month\.$/);
  });
});

describe('after a kill, where limits are lowered without anybody', () => {
  const applied = { ...options, minSamplesAfterKill: 5 };
  const run = { atMs: 1, durationMs: 1, killedAtMb: undefined, peakBytes: 60 * MIB };

  test('nothing is recommended until enough is known since, and then above the limit of the kill', () => {
    const model = kill(modelOf({ peakMb: 60 }), 128);
    for (let samples = 0; samples < 5; samples++) {
      const advice = advise(model, 1_024, applied);
      expect(advice).toMatchObject({ verdict: 'withdrawn', samplesSinceKill: samples, killedAtMb: 128 });
      expect(advice).not.toHaveProperty('recommendedMemoryMb');
      model.add(run);
    }
    expect(advise(model, 1_024, applied)).toMatchObject({ verdict: 'lower', recommendedMemoryMb: 256 });
    kill(model, 256);
    expect(advise(model, 1_024, applied)).toMatchObject({ verdict: 'withdrawn', samplesSinceKill: 0 });
  });

  test('nothing was withdrawn where nothing smaller would fit, and a kill at its own limit raises', () => {
    expect(advise(kill(modelOf({ peakMb: 60 }), 128), 256, applied).verdict).toBe('keep');
    expect(advise(kill(modelOf({ peakMb: 60 }), 256), 256, applied).verdict).toBe('raise');
  });

  test('the tips say what is done', () => {
    const all = { lowers: true, raises: true };
    const withdrawn = advise(kill(modelOf({ peakMb: 60 }), 128), 1_024, applied);
    const raised = advise(kill(modelOf({ peakMb: 1 }), 128), 128, applied);
    const lowered = advise(modelOf({ peakMb: 150, count: 1_440, everyMs: 60_000 }), 1_024, applied);
    expect([withdrawn, raised, lowered].map((advice) => writeTip(advice, 'en', all))).toEqual([
      'The function gets its own 1024 MiB of memory again: the function was killed for want of memory at 128 MiB.',
      'The function now gets 256 MiB of memory instead of 128 MiB: the function was killed for want of memory at 128 MiB.',
      'The function now gets 256 MiB of memory instead of 1024 MiB: it needs at most 150 MiB, by 1,440 runs, and this saves about 0.54 USD a month.',
    ]);
    expect([withdrawn, raised, lowered].map((advice) => writeTip(advice, 'ko', all))).toEqual([
      '함수에 원래 한도인 1024 MiB 메모리가 다시 할당됩니다: 함수가 128 MiB 한도에서 메모리 부족으로 강제 종료되었습니다.',
      '이제 함수에 128 MiB 대신 256 MiB 메모리가 할당됩니다: 함수가 128 MiB 한도에서 메모리 부족으로 강제 종료되었습니다.',
      '이제 함수에 1024 MiB 대신 256 MiB 메모리가 할당됩니다: 실행 1,440회 기준으로 함수는 최대 150 MiB를 사용하며, 월 약 0.54 USD를 절약할 수 있습니다.',
    ]);
    expect(writeTip(raised, 'en', { lowers: true, raises: false })).toMatch(/^Raise the memory limit from 128 MiB/);
  });
});
