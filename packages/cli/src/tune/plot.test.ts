import { describe, expect, test } from 'vitest';
import { axisTop, type Mark } from './plot.js';
import { plotSvg } from './plot-svg.js';
import { plotText } from './plot-text.js';

const labels = {
  xTitle: 'time',
  yTitle: 'cost',
  x: (value: number) => `${value} ms`,
  y: (value: number) => `${value} $`,
};
const mark = (x: number, y: number, letter: string, name = letter): Mark => ({
  x,
  y,
  letter,
  name,
  recommended: false,
});

test.each([
  [[0], 1],
  [[], 1],
  [[1], 1],
  [[1.1], 1.2],
  [[3, 7], 8],
  [[99], 100],
  [[100], 100],
  [[101], 120],
  [[0.0021], 0.0024],
])('an axis of %j ends at %d', (values, top) => expect(axisTop(values)).toBeCloseTo(top, 12));

describe('a plot of characters', () => {
  test('begins at 0, and has each letter at its place', () => {
    const lines = plotText([mark(100, 1, 'A'), mark(50, 0.5, 'B'), mark(0, 0, 'C')], labels, 29);
    expect(lines).toEqual([
      '    cost',
      `1 $ │${' '.repeat(21)}A`,
      ...Array(4).fill('    │'),
      `    │${' '.repeat(11)}B`,
      ...Array(5).fill('    │'),
      '    │C',
      `0 $ └${'─'.repeat(22)}`,
      `     0 ms${'100 ms'.padStart(18)}`,
      `     ${'time'.padStart(22)}`,
    ]);
  });

  test('puts letters of one place beside each other, and says where there are too many', () => {
    const crowd = (count: number) => [...'ABCDEFG'.slice(0, count)].map((letter) => mark(50, 1, letter));
    const three = plotText(crowd(3), labels, 60).join('\n');
    for (const letter of 'ABC') expect(three).toContain(letter);
    expect(three).not.toContain('several');
    expect(plotText(crowd(7), labels, 60).join('\n')).toContain('* several');
  });

  test.each([1, 40, 500])('fits a terminal of %d columns, or is as narrow as it can be', (columns) => {
    const widths = plotText([mark(3, 4, 'A')], labels, columns).map((line) => line.length);
    expect(Math.max(...widths)).toBeLessThanOrEqual(Math.max(columns, 25));
  });
});

test('labels of a picture do not lie on each other while there is room', () => {
  const marks = [100, 101, 102, 103].map((x) => mark(x, 1, 'A', `${x} MiB, 0.25 CPU`));
  const svg = plotSvg('t', [...marks, mark(500, 9, 'B')], labels, 'a note');
  const places = marks.map(({ name }) =>
    new RegExp(`x="([\\d.]+)" y="([\\d.]+)" text-anchor="(\\w+)">${name}`).exec(svg)?.slice(1),
  );
  expect(new Set(places.map((place) => JSON.stringify(place))).size).toBe(4);
  expect(svg).not.toContain('NaN');
});
