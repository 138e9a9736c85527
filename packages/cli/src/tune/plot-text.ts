/** Draws cost against time with characters, for a terminal. Owns no state. */

import { axisTop, type Mark, type PlotLabels } from './plot.js';

const ROWS = 12;
const LEAST_COLUMNS = 20;
const MOST_COLUMNS = 64;
/** Stands for letters that have no place beside each other. */
const SEVERAL = '*';
/** Where a letter goes whose place is taken. */
const BESIDE = [0, 1, -1, 2, -2];

/** Lines of a plot from 0; `columns` is the width of the terminal. */
export function plotText(marks: readonly Mark[], labels: PlotLabels, columns: number): string[] {
  const yTop = axisTop(marks.map(({ y }) => y));
  const xTop = axisTop(marks.map(({ x }) => x));
  const margin = Math.max(labels.y(yTop).length, labels.y(0).length);
  const width = Math.min(MOST_COLUMNS, Math.max(LEAST_COLUMNS, columns - margin - 4));
  const grid = Array.from({ length: ROWS }, () => Array<string>(width).fill(' '));
  for (const { x, y, letter } of marks) {
    const row = ROWS - 1 - Math.round((y / yTop) * (ROWS - 1));
    const line = grid[row] as string[];
    const column = Math.round((x / xTop) * (width - 1));
    const free = BESIDE.map((step) => column + step).find((place) => line[place] === ' ');
    line[free ?? column] = free === undefined ? SEVERAL : letter;
  }
  const left = (text: string, sign: string) => `${text.padStart(margin)} ${sign}`;
  const end = labels.x(xTop);
  return [
    `${' '.repeat(margin)} ${labels.yTitle}`,
    ...grid.map((line, row) => `${left(row === 0 ? labels.y(yTop) : '', '│')}${line.join('')}`.trimEnd()),
    `${left(labels.y(0), '└')}${'─'.repeat(width)}`,
    `${' '.repeat(margin + 2)}${labels.x(0)}${end.padStart(width - labels.x(0).length)}`,
    `${' '.repeat(margin + 2)}${labels.xTitle.padStart(width)}`,
    ...(grid.flat().includes(SEVERAL) ? [`${' '.repeat(margin + 2)}${SEVERAL} several`] : []),
  ];
}
