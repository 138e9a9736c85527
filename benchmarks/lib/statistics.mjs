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

/**
 * The ratio of two sides that were measured by turns, and the interval that holds it in 95 of 100 runs (bootstrap). Rounds are
 * drawn again with both sides of each, so that what slowed down both is no difference; so are the processes of each side, of
 * which one may be slower than its like for as long as it lives.
 *
 * @param {readonly (readonly (readonly number[])[])[]} own samples by process and round
 * @param {readonly (readonly (readonly number[])[])[]} other as many rounds of the other side
 * @param {(samples: readonly number[]) => number} figure of all samples: `median`, or `mean`
 * @param {{ draws?: number, random?: () => number }} [options]
 * @returns {{ ratio: number, low: number, high: number }}
 */
export function compareRounds(own, other, figure, { draws = 500, random = Math.random } = {}) {
  const drawn = (list) => list.map(() => list[Math.floor(random() * list.length)]);
  const rounds = own[0].map((_, place) => place);
  const ratioOf = (places, ...sides) => {
    const [a, b] = sides.map((side) => figure(side.flatMap((samples) => places.flatMap((place) => samples[place]))));
    return a / b;
  };
  const ratios = Array.from({ length: draws }, () => ratioOf(drawn(rounds), drawn(own), drawn(other)));
  const [low, high] = [0.025, 0.975].map((p) => round(quantile(ratios, p)));
  return { ratio: round(ratioOf(rounds, own, other)), low, high };
}

export function median(samples) {
  return quantile(samples, 0.5);
}

export function mean(samples) {
  return samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
}

/** Samples in the rounds that they were taken in. */
export function inRounds(samples, perRound) {
  return Array.from({ length: samples.length / perRound }, (_, at) =>
    samples.slice(at * perRound, (at + 1) * perRound),
  );
}
