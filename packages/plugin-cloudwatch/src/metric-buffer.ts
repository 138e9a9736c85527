/**
 * Values that wait to be sent, put together where they are of the same metric, dimensions and minute: CloudWatch bills
 * requests, and keeps minutes. Owns them, up to a cap; beyond it the oldest go, counted.
 */

import type { MetricDatum, StandardUnit } from '@aws-sdk/client-cloudwatch';

/** One value of one metric. */
export interface Sample {
  readonly metric: string;
  readonly unit: StandardUnit;
  /** Name and value of each. */
  readonly dimensions: Readonly<Record<string, string>>;
  readonly value: number;
  /** Unix milliseconds. */
  readonly atMs: number;
}

/** Values of one metric and one minute, each with how often it came. */
interface Group {
  readonly key: string;
  readonly first: Sample;
  readonly counts: Map<number, number>;
}

/** What is sent in one request. */
export interface Batch {
  readonly groups: readonly Group[];
  readonly data: MetricDatum[];
}

/** CloudWatch's caps of one request: 1,000 metrics with 150 different values each, 1 MB. The last leaves room for the rest of the request. */
export const MAX_METRICS = 1_000;
export const MAX_VALUES = 150;
export const MAX_BYTES = 900_000;
const MINUTE_MS = 60_000;

export class MetricBuffer {
  readonly #maxValues: number;
  /** The oldest first. */
  #groups = new Set<Group>();
  /** Those that take more values. */
  readonly #open = new Map<string, Group>();
  #values = 0;
  #dropped = 0;

  /** `maxValues` counts equal values of a metric and a minute once. */
  constructor(maxValues: number) {
    this.#maxValues = maxValues;
  }

  /** How many values wait, equal ones of a metric and a minute counted once. */
  get size(): number {
    return this.#values;
  }

  /** How many samples were given up, ever. */
  get dropped(): number {
    return this.#dropped;
  }

  add(sample: Sample): void {
    const key = JSON.stringify([sample.metric, Math.floor(sample.atMs / MINUTE_MS), sample.dimensions]);
    let group = this.#open.get(key);
    if (group === undefined || (group.counts.size >= MAX_VALUES && !group.counts.has(sample.value))) {
      group = { key, first: sample, counts: new Map() };
      this.#open.set(key, group);
      this.#groups.add(group);
    }
    const count = group.counts.get(sample.value);
    group.counts.set(sample.value, (count ?? 0) + 1);
    if (count === undefined) this.#values++;
    this.#trim();
  }

  /** Takes the oldest values, as many as fit a request; undefined where none wait. */
  take(): Batch | undefined {
    const groups: Group[] = [];
    const data: MetricDatum[] = [];
    let bytes = 0;
    for (const group of this.#groups) {
      const datum = datumOf(group);
      bytes += JSON.stringify(datum).length + 1;
      if (data.length > 0 && (data.length >= MAX_METRICS || bytes > MAX_BYTES)) break;
      groups.push(group);
      data.push(datum);
    }
    for (const group of groups) this.#remove(group);
    return groups.length === 0 ? undefined : { groups, data };
  }

  /** Takes back what could not be sent; it is the oldest again. */
  restore({ groups }: Batch): void {
    this.#groups = new Set([...groups, ...this.#groups]);
    for (const { counts } of groups) this.#values += counts.size;
    this.#trim();
  }

  /** Gives up what cannot be sent at all. */
  drop({ groups }: Batch): void {
    for (const group of groups) this.#count(group);
  }

  #trim(): void {
    for (const group of this.#groups) {
      if (this.#values <= this.#maxValues) return;
      this.#remove(group);
      this.#count(group);
    }
  }

  #remove(group: Group): void {
    this.#groups.delete(group);
    if (this.#open.get(group.key) === group) this.#open.delete(group.key);
    this.#values -= group.counts.size;
  }

  #count({ counts }: Group): void {
    for (const count of counts.values()) this.#dropped += count;
  }
}

function datumOf({ first: { metric, unit, dimensions, atMs }, counts }: Group): MetricDatum {
  const values = [...counts.keys()];
  const [only] = values;
  const isSingle = counts.size === 1 && only !== undefined && counts.get(only) === 1;
  return {
    MetricName: metric,
    Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value })),
    Timestamp: new Date(atMs),
    ...(isSingle ? { Value: only } : { Values: values, Counts: [...counts.values()] }),
    Unit: unit,
  };
}
