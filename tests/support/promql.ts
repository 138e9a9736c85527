/** Reads PromQL with Prometheus' own grammar: which series an expression asks for, and which labels it groups by. Owns no state. */

import { parser } from '@prometheus-io/lezer-promql';

export interface Selector {
  readonly metric: string;
  readonly matchers: readonly { readonly label: string; readonly operator: string; readonly value: string }[];
}

export interface Query {
  readonly selectors: readonly Selector[];
  /** Labels of `by`, `on` and `group_left`. */
  readonly grouping: readonly string[];
}

/** Throws where the expression is no PromQL. */
export function readPromql(expression: string): Query {
  const selectors: { metric: string; matchers: { label: string; operator: string; value: string }[] }[] = [];
  const grouping: string[] = [];
  let inGrouping = false;
  parser.parse(expression).iterate({
    enter({ name, type, from, to }) {
      const text = expression.slice(from, to);
      if (type.isError) throw new Error(`no PromQL near character ${from}: ${expression}`);
      if (name === 'VectorSelector') selectors.push({ metric: '', matchers: [] });
      const current = selectors.at(-1);
      if (name === 'GroupingLabels') inGrouping = true;
      if (name === 'LabelName' && inGrouping) grouping.push(text);
      if (current === undefined || inGrouping) return;
      if (name === 'Identifier') current.metric = text;
      if (name === 'LabelName') current.matchers.push({ label: text, operator: '', value: '' });
      const matcher = current.matchers.at(-1);
      if (matcher === undefined) return;
      if (name === 'MatchOp') matcher.operator = text;
      if (name === 'StringLiteral') matcher.value = JSON.parse(text) as string;
    },
    leave({ name }) {
      if (name === 'GroupingLabels') inGrouping = false;
    },
  });
  return { selectors, grouping };
}

/** Whether a matcher takes a label's value, empty where there is no such label. */
export function matches({ operator, value }: Selector['matchers'][number], found: string): boolean {
  const whole = new RegExp(`^(?:${value})$`);
  if (operator === '=') return found === value;
  if (operator === '!=') return found !== value;
  return operator === '=~' ? whole.test(found) : !whole.test(found);
}
