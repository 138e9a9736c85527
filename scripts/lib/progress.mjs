/** Shows one line for work that takes a while, with the seconds it has taken. A call owns its timer. */

const QUIET_INTERVAL_MS = 15_000;

/**
 * Runs `work` under `label`. On a terminal the line counts the seconds; elsewhere (a log) it is said at the start,
 * every 15 seconds and at the end.
 *
 * @template T
 * @param {string} label what is being done, for instance "Installing dependencies"
 * @param {() => Promise<T>} work
 * @param {NodeJS.WriteStream} [out] default: standard output
 * @returns {Promise<T>}
 */
export async function withProgress(label, work, out = process.stdout) {
  const begun = performance.now();
  const line = (mark) => `${mark} ${label} (${((performance.now() - begun) / 1000).toFixed(1)} s)`;
  const show = out.isTTY ? () => out.write(`\r\u001b[K${line('…')}`) : () => out.write(`${line('…')}\n`);
  const close = (mark) => out.write(`${out.isTTY ? '\r\u001b[K' : ''}${line(mark)}\n`);
  show();
  const timer = setInterval(show, out.isTTY ? 1000 : QUIET_INTERVAL_MS);
  timer.unref();
  try {
    const result = await work();
    close('✓');
    return result;
  } catch (error) {
    close('✗');
    throw error;
  } finally {
    clearInterval(timer);
  }
}
