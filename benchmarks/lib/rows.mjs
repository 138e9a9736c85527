/**
 * The rows of the table: which side is compared with which, and how good it has to be. `target` is the largest ratio
 * of ours to the baseline that is good enough; null where none is set.
 */

export const ROWS = [
  { row: 'script, back to back / docker exec', own: 'own script', baseline: 'exec python', target: 1 / 20 },
  { row: 'script, 5 ms apart / docker exec', own: 'own script, paced', baseline: 'exec python', target: 1 / 20 },
  {
    row: 'script, back to back / one container per job',
    own: 'own script',
    baseline: 'container per job',
    target: null,
  },
  { row: 'script, back to back / bare process on the host', own: 'own script', baseline: 'bare python', target: null },
  { row: 'handler / docker exec', own: 'own handler', baseline: 'exec handler', target: null },
  {
    row: 'first run of a new function / one container per job',
    own: 'own new function',
    baseline: 'container per job',
    target: 1 / 4,
  },
  { row: 'script with numpy and pandas / bare process', own: 'own numeric', baseline: 'bare numeric', target: 1 / 30 },
  { row: 'script with numpy and pandas / docker exec', own: 'own numeric', baseline: 'exec numeric', target: null },
  { row: 'third-party image, sh main.sh / docker exec', own: 'own shell', baseline: 'exec shell', target: 1 / 12 },
  {
    row: 'scripts, 8 in flight / docker exec, 8 in flight',
    own: 'own throughput',
    baseline: 'exec throughput',
    unit: 'jobs/s',
    target: null,
  },
  {
    row: 'start of a worker until ready / one container per job',
    own: 'own start',
    baseline: 'container per job',
    target: null,
  },
];

/** How many times better than the baseline a row is. */
export function advantage({ unit, ratio }) {
  return unit === 'jobs/s' ? ratio : 1 / ratio;
}
