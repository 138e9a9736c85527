/** Draws cost against time as a picture of its own: SVG without scripts, fonts or anything from elsewhere. Owns no state. */

import { axisTop, type Mark, type PlotLabels } from './plot.js';

const WIDTH = 720;
/** Without the lines below the plot. */
const HEIGHT = 424;
const LEFT = 90;
const RIGHT = 110;
const TOP = 56;
const BOTTOM = 60;
const NOTE_LEFT = 16;
const TICKS = 4;
/** Of a letter of a label, about, and the height of a line. */
const LETTER = 6.8;
const LINE = 14;

interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** `footnote` is what else must be known: sizes that failed, for instance. */
export function plotSvg(title: string, marks: readonly Mark[], labels: PlotLabels, footnote: string): string {
  const xTop = axisTop(marks.map(({ x }) => x));
  const yTop = axisTop(marks.map(({ y }) => y));
  const px = (x: number) => round(LEFT + (x / xTop) * (WIDTH - LEFT - RIGHT));
  const py = (y: number) => round(HEIGHT - BOTTOM - (y / yTop) * (HEIGHT - TOP - BOTTOM));
  const ticks = Array.from({ length: TICKS + 1 }, (_, place) => place / TICKS);
  const grid = ticks.flatMap((share) => [
    `<line class="grid" x1="${px(share * xTop)}" y1="${py(0)}" x2="${px(share * xTop)}" y2="${py(yTop)}"/>`,
    `<line class="grid" x1="${px(0)}" y1="${py(share * yTop)}" x2="${px(xTop)}" y2="${py(share * yTop)}"/>`,
    text(px(share * xTop), py(0) + 18, labels.x(share * xTop), 'middle'),
    text(px(0) - 8, py(share * yTop) + 4, labels.y(share * yTop), 'end'),
  ]);
  const taken: Box[] = marks.map(({ x, y }) => around(px(x), py(y), 6));
  const points = marks.flatMap(({ x, y, name, recommended }) => [
    ...(recommended ? [`<circle class="best" cx="${px(x)}" cy="${py(y)}" r="10"/>`] : []),
    `<circle class="point" cx="${px(x)}" cy="${py(y)}" r="5"><title>${escaped(`${name}: ${labels.x(x)}, ${labels.y(y)}`)}</title></circle>`,
    label(px(x), py(y), name, taken),
  ]);
  const notes = wrapped(footnote, (WIDTH - 2 * NOTE_LEFT) / LETTER);
  const height = HEIGHT + notes.length * LINE;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(title)}">
<style>
text { font: 12px sans-serif; fill: #24292f; } .title { font-size: 15px; font-weight: bold; } .grid { stroke: #d0d7de; }
.point { fill: #0969da; } .best { fill: none; stroke: #1a7f37; stroke-width: 3; }
</style>
<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>
${text(LEFT, 24, title, 'start', 'title')}
${text(LEFT, 44, labels.yTitle, 'start')}
${text(px(xTop), HEIGHT - BOTTOM + 38, labels.xTitle, 'end')}
${[...grid, ...points].join('\n')}
${notes.map((line, place) => text(NOTE_LEFT, HEIGHT + place * LINE, line, 'start')).join('\n')}
</svg>
`;
}

/** A label where there is room: right of its point, left, above or below. */
function label(x: number, y: number, name: string, taken: Box[]): string {
  const width = name.length * LETTER;
  const right = (down: number) => ({ x: x + 13, y: y + 4 + down, anchor: 'start', left: x + 13 }) as const;
  const left = (down: number) => ({ x: x - 13, y: y + 4 + down, anchor: 'end', left: x - 13 - width }) as const;
  const middle = (down: number) => ({ x, y: y + 4 + down, anchor: 'middle', left: x - width / 2 }) as const;
  const aside = [0, -LINE, LINE, -2 * LINE, 2 * LINE].flatMap((down) => [right(down), left(down)]);
  const places = [...aside.slice(0, 2), middle(-17), middle(18), ...aside.slice(2)];
  const boxOf = (place: (typeof places)[number]): Box => ({
    left: place.left,
    right: place.left + width,
    top: place.y - LINE + 3,
    bottom: place.y + 3,
  });
  const isFree = (box: Box) =>
    box.left > LEFT && box.right < WIDTH && box.bottom < HEIGHT - BOTTOM && !taken.some((one) => overlap(one, box));
  const place = places.find((one) => isFree(boxOf(one))) ?? right(0);
  taken.push(boxOf(place));
  return text(round(place.x), round(place.y), name, place.anchor);
}

/** Lines of at most so many characters, broken between words. */
function wrapped(words: string, most: number): string[] {
  const lines: string[] = [];
  for (const word of words.split(' ').filter((one) => one !== '')) {
    const last = lines[lines.length - 1];
    if (last === undefined || last.length + 1 + word.length > most) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

function around(x: number, y: number, radius: number): Box {
  return { left: x - radius, right: x + radius, top: y - radius, bottom: y + radius };
}

function overlap(one: Box, other: Box): boolean {
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
}

function text(x: number, y: number, words: string, anchor: 'start' | 'middle' | 'end', name?: string): string {
  const named = name === undefined ? '' : ` class="${name}"`;
  return words === '' ? '' : `<text${named} x="${x}" y="${y}" text-anchor="${anchor}">${escaped(words)}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: XML cannot hold them
const NO_XML = /[\u0000-\u001f\u007f-\u009f\ufffe\uffff]/g;

function escaped(words: string): string {
  const signs: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return words.replace(NO_XML, ' ').replace(/[&<>"]/g, (sign) => signs[sign] ?? '');
}
