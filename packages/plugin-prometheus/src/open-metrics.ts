/** Writes all metrics in either format: Prometheus' text format, or OpenMetrics, which can carry exemplars. Owns no state. */

import { type Counter, type Metric, type OpenMetricsContentType, Registry } from 'prom-client';
import type { MetricsPage } from './metrics-server.js';

/** Metrics with exemplars can be registered in no other. */
export type MetricsRegistry = Registry<OpenMetricsContentType>;

export function createRegistry(): MetricsRegistry {
  const registry: MetricsRegistry = new Registry();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  return registry;
}

/** All metrics, in the format that who asks with this `Accept` would rather have. */
export async function renderMetrics(registry: MetricsRegistry, accept: string | undefined): Promise<MetricsPage> {
  const open = wantsOpenMetrics(accept);
  const page = open ? createRegistry() : new Registry();
  // The library takes `_total` off the names of counters, for good, as it writes OpenMetrics: it gets others to do it to.
  for (const metric of registry.getMetricsAsArray() as unknown as Metric[]) {
    page.registerMetric(open ? inOpenMetrics(metric) : metric);
  }
  return { contentType: page.contentType, text: await page.metrics() };
}

function inOpenMetrics(metric: Metric): Metric {
  const { type, name } = metric as unknown as { type: string; name: string };
  if (type !== 'counter') return metric;
  const family = name.replace(/_total$/, '');
  const counter = metric as Counter;
  const get = async () => ({ ...(await counter.get()), name: family });
  return { type, name: family, get } as unknown as Metric;
}

interface Accepted {
  readonly type: string;
  readonly version: string | undefined;
  readonly weight: number;
}

/** Whether who asks with this `Accept` would rather have OpenMetrics 1.0 than the text format. */
export function wantsOpenMetrics(accept: string | undefined): boolean {
  const accepted = (accept ?? '').split(',').map(readRange);
  const weight = (matches: (range: Accepted) => boolean) =>
    Math.max(0, ...accepted.filter(matches).map((range) => range.weight));
  const open = weight(({ type, version = '1.0.0' }) => type === 'application/openmetrics-text' && version === '1.0.0');
  return open > 0 && open >= weight(({ type }) => type === 'text/plain');
}

/** One range of an `Accept`: its type, the parameter `version` and its weight, 1 where it has none. */
function readRange(range: string): Accepted {
  const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
  const given = new Map(parameters.map((part) => part.split('=').map((text) => text.trim()) as [string, string]));
  const weight = Number(given.get('q') ?? 1);
  return { type, version: given.get('version'), weight: weight >= 0 && weight <= 1 ? weight : 0 };
}
