/**
 * The rows of the table, all of them: which side is compared with which, or with a fixed `limit`, and how good it has to
 * be. `target` is the largest ratio of ours to the baseline that is good enough, for jobs a second the least one; null
 * where none is set. A row whose
 * sides were not measured (a language that is not installed) is told as left out.
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
    row: 'script with all features / without, 5 ms apart',
    own: 'script with features',
    baseline: 'script without features',
    target: 1.05,
  },
  { row: 'Node script, 5 a second / docker exec', own: 'own node, paced', baseline: 'exec node', target: 1 / 5 },
  { row: 'Node script, back to back / docker exec', own: 'own node', baseline: 'exec node', target: 2 / 3 },
  { row: 'C++, second run / docker exec of the binary', own: 'own cpp', baseline: 'exec cpp', target: 1 / 12 },
  { row: 'Go, second run / docker exec of the binary', own: 'own go', baseline: 'exec go', target: 1 / 12 },
  { row: 'Python handler kept loaded / 1 ms', own: 'own kept python', limit: 1, target: 1 },
  { row: 'Node handler kept loaded / 1 ms', own: 'own kept node', limit: 1, target: 1 },
  { row: 'POST /run, kept handler / 2,000 a second', own: 'own http kept', limit: 2_000, unit: 'jobs/s', target: 1 },
  { row: 'POST /run, fresh process / 800 a second', own: 'own http fresh', limit: 800, unit: 'jobs/s', target: 1 },
  {
    row: 'POST /run, kept handler / without HTTP',
    own: 'own http kept',
    baseline: 'own kept throughput',
    unit: 'jobs/s',
    target: null,
  },
  {
    row: 'POST /run, fresh process / without HTTP',
    own: 'own http fresh',
    baseline: 'own fresh throughput',
    unit: 'jobs/s',
    target: null,
  },
  {
    row: 'POST /run, kept handler / bare route, no job',
    own: 'own http kept',
    baseline: 'bare http',
    unit: 'jobs/s',
    target: null,
  },
  { row: 'SQS to Redis / its bare round trips', own: 'own data plane', baseline: 'bare data plane', target: null },
  { row: 'SQS to Redis beyond its round trips / 5 ms', own: 'own data plane, beyond', limit: 5, target: 1 },
  {
    row: 'nanogrid start until ready / one container per job',
    own: 'own start',
    baseline: 'container per job',
    target: null,
  },
  { row: 'idle worker, resident memory / 150 MB', own: 'idle memory', limit: 150, unit: 'MB', target: 1 },
  { row: 'idle worker, processor / 1 % of one', own: 'idle processor', limit: 1, unit: '%', target: 1 },
  { row: 'busy function between 60 new ones / before them', own: 'hot between', baseline: 'hot before', target: 1.2 },
  { row: 'busy function after 60 new ones / before them', own: 'hot after', baseline: 'hot before', target: 1.2 },
];

/** How many times better than the baseline a row is. */
export function advantage({ unit, ratio }) {
  return unit === 'jobs/s' ? ratio : 1 / ratio;
}

/** How many times better it has to be; null where nothing is set. */
export function wantedAdvantage({ unit, target }) {
  return target === null ? null : advantage({ unit, ratio: target });
}
