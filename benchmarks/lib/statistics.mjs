/** Medians and spreads of samples. Owns no state. */

/**
 * The value below which the share `p` of the samples lies, between two samples in proportion.
 *
 * @param {readonly number[]} samples at least one
 * @param {number} p from 0 to 1
 */
export function quantile(samples, p) {
  const sorted = [...samples].sort((a, b) => a - b);
  const place = (sorted.length - 1) * p;
  const below = sorted[Math.floor(place)];
  const above = sorted[Math.ceil(place)];
  return below + (above - below) * (place - Math.floor(place));
}

/** @typedef {{ count: number, median: number, p25: number, p75: number, p95: number }} Summary */

/**
 * @param {readonly number[]} samples at least one
 * @returns {Summary}
 */
export function summarize(samples) {
  const at = (p) => round(quantile(samples, p));
  return { count: samples.length, median: at(0.5), p25: at(0.25), p75: at(0.75), p95: at(0.95) };
}

/** Four significant digits: what is behind them is noise. */
export function round(value) {
  return Number(value.toPrecision(4));
}

/**
 * The slope of the straight line through the points (least squares).
 *
 * @param {readonly (readonly [x: number, y: number])[]} points at least two, with different x
 */
export function slope(points) {
  const mean = (at) => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const up = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return up / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}
