/** The figures that plugins register. Owns the list of them. */

import { NanoGridError } from '../errors.js';
import type { PluginMetric } from './plugin.js';

/** A figure as it is now. */
export interface PluginFigure extends Omit<PluginMetric, 'value'> {
  readonly plugin: string;
  readonly value: number;
}

export class PluginMetrics {
  readonly #metrics = new Map<string, { readonly plugin: string; readonly metric: PluginMetric }>();

  add(plugin: string, metric: PluginMetric): void {
    const { name } = metric;
    const other = this.#metrics.get(name);
    if (other !== undefined) {
      const reason = `The metric "${name}" is registered by both "${other.plugin}" and "${plugin}".`;
      throw new NanoGridError('NG_PLUGIN_INVALID', reason, { hint: 'Choose another name for one of the two.' });
    }
    if (!/^[a-z][a-z0-9_]*$/.test(name)) {
      const reason = `The metric ${JSON.stringify(name)} has a name that is not in snake case.`;
      throw new NanoGridError('NG_PLUGIN_INVALID', reason, { hint: 'Use a to z, 0 to 9 and _ only.' });
    }
    this.#metrics.set(name, { plugin, metric });
  }

  /** All figures as they are now, without those that cannot be told. */
  figures(): PluginFigure[] {
    return [...this.#metrics.values()].flatMap(({ plugin, metric }) => {
      const value = figureOf(metric);
      return value === undefined ? [] : [{ plugin, name: metric.name, kind: metric.kind, help: metric.help, value }];
    });
  }
}

function figureOf(metric: PluginMetric): number | undefined {
  try {
    const value = metric.value();
    return Number.isFinite(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
