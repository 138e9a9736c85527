/** Reads Prometheus's text format (version 0.0.4) strictly, as its own parser does. Owns no state. */

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`);
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)/;
const SUFFIXES = ['', '_bucket', '_sum', '_count'];

/** All samples. Throws at the first line that Prometheus would refuse a scrape for. */
export function parseExposition(text: string): Sample[] {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const samples: Sample[] = [];
  const types = new Map<string, string>();
  const seen = new Set<string>();
  for (const line of text.split('\n')) {
    const [, kind, name = '', type = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === 'TYPE') {
      if (types.has(name)) throw new Error(`a second type of ${name}`);
      if (!/^(counter|gauge|histogram|summary|untyped)$/.test(type)) throw new Error(`no type: ${line}`);
      types.set(name, type);
    }
    if (line === '' || line.startsWith('#')) continue;
    const sample = parseSample(line);
    if (!SUFFIXES.some((suffix) => sample.name.endsWith(suffix) && types.has(withoutEnd(sample.name, suffix)))) {
      throw new Error(`a sample without a type: ${line}`);
    }
    const series = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
    if (seen.has(series)) throw new Error(`the same series twice: ${line}`);
    seen.add(series);
    samples.push(sample);
  }
  return samples;
}

/** The value of one series; undefined where there is none. Labels that are not named do not matter. */
export function sampleValue(samples: readonly Sample[], name: string, labels: Record<string, string> = {}) {
  const found = samples.filter(
    (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  );
  if (found.length > 1) throw new Error(`${name} has ${found.length} series of these labels`);
  return found[0]?.value;
}

function withoutEnd(text: string, end: string): string {
  return text.slice(0, text.length - end.length);
}

function parseSample(line: string): Sample {
  const [, name, inner = '', number = ''] = SAMPLE.exec(line) ?? [];
  if (name === undefined) throw new Error(`no sample: ${line}`);
  // Prometheus reads numbers as Go does, which takes these words in any case.
  const value = /^nan$/i.test(number) ? NaN : Number(number.replace(/inf$/i, 'Infinity'));
  if (Number.isNaN(value) && !/^nan$/i.test(number)) throw new Error(`no number: ${line}`);
  const labels: Record<string, string> = {};
  for (let rest = inner; rest !== ''; ) {
    const [whole, key, text] = LABEL.exec(rest) ?? [];
    if (whole === undefined || key === undefined || text === undefined) throw new Error(`no labels: ${line}`);
    if (Object.hasOwn(labels, key)) throw new Error(`a label twice: ${line}`);
    labels[key] = text.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
    rest = rest.slice(whole.length);
  }
  return { name, labels, value };
}
