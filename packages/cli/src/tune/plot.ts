/** What both plots of cost against time have in common. Owns no state. */

/** A size in a plot. */
export interface Mark {
  readonly x: number;
  readonly y: number;
  /** In a plot of characters. */
  readonly letter: string;
  /** In a picture. */
  readonly name: string;
  readonly recommended: boolean;
}

export interface PlotLabels {
  readonly xTitle: string;
  readonly yTitle: string;
  x(value: number): string;
  y(value: number): string;
}

/** Where an axis from 0 ends: the next round number above all values, or 1. */
export function axisTop(values: readonly number[]): number {
  const most = Math.max(0, ...values);
  if (most === 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  const step = [1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10].find((factor) => factor * power >= most) ?? 10;
  return step * power;
}
