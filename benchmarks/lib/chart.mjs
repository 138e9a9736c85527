/** Draws the factors as bars on a logarithmic scale, with the targets as marks. Owns no state. */

import { advantage, wantedAdvantage } from './rows.mjs';

const WIDTH = 900;
const LEFT = 370;
const RIGHT = 70;
const TOP = 60;
const STEP = 30;
const BAR = 18;

/** @param {readonly import('./report.mjs').Result[]} results */
export function drawChart(results, machine) {
  const factors = results.map(advantage);
  const marks = results.map(wantedAdvantage).filter((mark) => mark !== null);
  const least = 10 ** Math.floor(Math.log10(Math.min(1, ...factors)));
  const most = Math.max(10, ...factors, ...marks) * 1.1;
  const x = (factor) => LEFT + ((WIDTH - LEFT - RIGHT) * Math.log(factor / least)) / Math.log(most / least);
  const height = TOP + results.length * STEP + 40;
  const ticks = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000].filter((tick) => tick >= least && tick <= most);
  const grid = ticks.map(
    (tick) =>
      line(x(tick), TOP - 10, x(tick), height - 30, tick === 1 ? '#57606a' : '#d8dee4') +
      text(x(tick), height - 12, `${tick}x`, 'middle', '#57606a'),
  );
  const bars = results.map((result, index) => {
    const { row, met } = result;
    const y = TOP + index * STEP;
    const factor = factors[index];
    const from = Math.min(x(1), x(factor));
    const width = Math.abs(x(factor) - x(1));
    const colour = met === false ? '#bc4c00' : '#0969da';
    const wanted = wantedAdvantage(result);
    const mark = wanted === null ? '' : line(x(wanted), y - 3, x(wanted), y + BAR + 3, '#1f2328', 2);
    return [
      text(LEFT - 10, y + 14, row, 'end', '#1f2328'),
      `<rect x="${n(from)}" y="${y}" width="${n(width)}" height="${BAR}" rx="2" fill="${colour}"/>`,
      mark,
      text(Math.max(x(1), x(factor)) + 6, y + 14, `${factor.toPrecision(3)}x`, 'start', '#1f2328'),
    ].join('\n');
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"`,
    ' font-family="ui-sans-serif, system-ui, sans-serif" font-size="13">',
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(20, 24, 'How many times faster than the baseline (black mark: target)', 'start', '#1f2328', 'bold'),
    text(
      20,
      42,
      `${machine.cpu}, ${machine.processors} processors, Docker ${machine.engine}, Node ${machine.node}`,
      'start',
      '#57606a',
    ),
    ...grid,
    ...bars,
    '</svg>\n',
  ].join('\n');
}

function line(x1, y1, x2, y2, colour, width = 1) {
  return `<line x1="${n(x1)}" y1="${y1}" x2="${n(x2)}" y2="${y2}" stroke="${colour}" stroke-width="${width}"/>`;
}

function text(x, y, content, anchor, colour, weight = 'normal') {
  const safe = String(content).replace(/[&<>]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c]);
  return `<text x="${n(x)}" y="${y}" text-anchor="${anchor}" fill="${colour}" font-weight="${weight}">${safe}</text>`;
}

function n(value) {
  return Math.round(value * 10) / 10;
}
