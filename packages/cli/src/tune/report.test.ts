import { expect, test } from 'vitest';
import { rate } from './evaluate.js';
import type { Measurement } from './measure.js';
import { type Findings, findingsDocument, findingsSvg, findingsText } from './report.js';

const MIB = 2 ** 20;
const failure = {
  errorCode: 'NG_OUT_OF_MEMORY',
  errorMessage: 'the function used more memory than its limit of 64 MiB',
};
const measured: readonly Measurement[] = [
  { memoryMb: 64, cpus: 1, firstMs: undefined, timesMs: [], peakMemoryBytes: 70 * MIB, failure },
  { memoryMb: 128, cpus: 1, firstMs: 90, timesMs: [60, 50, 70], peakMemoryBytes: 120 * MIB, failure: undefined },
  { memoryMb: 256, cpus: 1, firstMs: 80, timesMs: [40, 40, 41], peakMemoryBytes: 120 * MIB, failure: undefined },
  { memoryMb: 1_024, cpus: 1, firstMs: 80, timesMs: [20], peakMemoryBytes: 120 * MIB, failure: undefined },
];

function findings(sizes = measured): Findings {
  const price = 0.00001;
  const rated = rate(sizes, { perGbSecond: price, cpusCost: false });
  return { functionName: 'f<1>', measured: sizes, rated, goal: 'balance', price, currency: 'EUR' };
}

test('the text has a table, a plot and what is best for what', () => {
  expect(findingsText(findings(), 60)).toBe(`   MEMORY    CPU  MEDIAN  SLOWEST  FIRST  PEAK      EUR PER MILLION
   64 MiB    1    -       -        -      70.0 MiB  -                out of memory
B  128 MiB   1    60 ms   70 ms    90 ms  120 MiB   0.075            less than 10 % free
C  256 MiB   1    40 ms   41 ms    80 ms  120 MiB   0.10
D  1024 MiB  1    20 ms   20 ms    80 ms  120 MiB   0.20

     EUR per million runs
0.20 │                 D
     │
     │
     │
     │
     │                                  C
     │
     │                                                   B
     │
     │
     │
     │
   0 └────────────────────────────────────────────────────
      0                                              60 ms
                                      median time of a run

cost     256 MiB, 1 CPU (40 ms, 0.10 EUR per million runs)
speed    1024 MiB, 1 CPU (20 ms, 0.20 EUR per million runs)
balance  256 MiB, 1 CPU (40 ms, 0.10 EUR per million runs)  <- recommended`);
});

test('the text of a function that failed at every size says why', () => {
  const text = findingsText(findings(measured.slice(0, 1)), 80);
  expect(text).toContain('No size can be recommended: the function failed at each.\nthe function used more memory');
});

test('the document has every size and what is best for what', () => {
  expect(JSON.parse(JSON.stringify(findingsDocument(findings())))).toMatchObject({
    function: 'f<1>',
    price: { perGbSecond: 0.00001, currency: 'EUR' },
    sizes: [
      { memoryMb: 64, status: 'failed', ...failure, timesMs: [] },
      { memoryMb: 128, status: 'ok', medianMs: 60, slowestMs: 70, firstMs: 90, tight: true },
      { memoryMb: 256, status: 'ok', medianMs: 40, tight: false, costPerMillionRuns: 0.1 },
      { memoryMb: 1_024, status: 'ok', medianMs: 20, costPerMillionRuns: 0.2 },
    ],
    best: { cost: { memoryMb: 256, cpus: 1 }, speed: { memoryMb: 1_024 }, balance: { memoryMb: 256 } },
    for: 'balance',
    recommended: { memoryMb: 256, cpus: 1 },
  });
  expect(findingsDocument(findings([]))).toMatchObject({ recommended: null, best: { cost: null } });
});

test('the picture has a point for each size that works, and names the others; nothing in it is markup of the function’s', () => {
  const svg = findingsSvg(findings());
  expect(svg.match(/<circle class="point"/g)).toHaveLength(3);
  expect(svg.match(/<circle class="best"/g)).toHaveLength(1);
  expect(svg).toContain('>f&lt;1&gt;: cost against time, by size<');
  expect(svg).toContain('Failed: 64 MiB, 1 CPU (out of memory)');
  // Every element that is opened is closed.
  const opened = svg.match(/<[a-z]+[ >](?![^>]*\/>)/g) ?? [];
  expect(svg.match(/<\/[a-z]+>/g)).toHaveLength(opened.length);
});
