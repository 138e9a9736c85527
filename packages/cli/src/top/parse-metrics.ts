/** Reads Prometheus' text format as far as it is understood; what is not is left out. Owns no state. */

export interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ([^\s]+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

export function parseMetrics(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    const [, name, labels = '', number = ''] = SAMPLE.exec(line) ?? [];
    const value = Number(number.replace(/inf$/i, 'Infinity'));
    return name === undefined || Number.isNaN(value) ? [] : [{ name, labels: readLabels(labels), value }];
  });
}

function readLabels(text: string): Map<string, string> {
  const pairs = [...text.matchAll(LABEL)].map(([, key = '', value = '']) => [key, unescaped(value)] as const);
  return new Map(pairs);
}

function unescaped(value: string): string {
  return value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
}
