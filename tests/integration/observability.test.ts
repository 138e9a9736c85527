/**
 * The dashboard and the alert rules of the plugin `prometheus` against the page of a real worker: every metric, label and
 * value that they name is there. Prometheus' grammar reads the expressions; its own promtool, where it is installed.
 */

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { definePlugin, type Logger, silentLogger } from '@nanogrid/core';
import { cost } from '@nanogrid/plugin-cost';
import { llmMetering } from '@nanogrid/plugin-llm-metering';
import { prometheus } from '@nanogrid/plugin-prometheus';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseExposition, type Sample, sampleValue } from '../support/exposition.js';
import { matches, type Query, readPromql } from '../support/promql.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

const run = promisify(execFile);
const PACKAGE = dirname(createRequire(import.meta.url).resolve('@nanogrid/plugin-prometheus/package.json'));
const DASHBOARD = join(PACKAGE, 'dashboards/nanogrid.json');
const ALERTS = join(PACKAGE, 'alerts/nanogrid.yml');
const ALERT_TESTS = fileURLToPath(new URL('../fixtures/alerts.test.yml', import.meta.url));

/** What Prometheus adds to every series of a target, and the series that it makes of the scrape itself. */
const TARGET_LABELS = ['instance', 'job'];
const TARGET_METRICS = ['up'];

const trace = { id: '4bf92f3577b34da6a3ce929d0e0e4736', span: '00f067aa0ba902b7' };
const MAIN = `import json, sys, time
event = json.load(sys.stdin)
with open(".llm_usage_stats.jsonl", "w") as file:
    json.dump({"model": "llama3:8b", "prompt_eval_count": 26, "eval_count": 298}, file)
hold = bytearray(event["holdMb"] << 20)
time.sleep(event.get("seconds", 0))
sys.exit(event["exit"])
`;

/** Fails in both ways that a plugin may without harm to jobs. */
const lamp = definePlugin({
  name: 'lamp',
  version: '1.0.0',
  core: '*',
  optionsSchema: { type: 'object', additionalProperties: false, properties: {} },
  apply(host) {
    host.hooks.afterExec.tap('shine', () => {
      throw new Error('no light');
    });
    host.lifecycle({
      health() {
        throw new Error('no light');
      },
    });
  },
});

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}
interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

let worker: TestWorker;
let address: string;
let samples: readonly Sample[];
let panels: readonly Panel[];
let rules: readonly Rule[];

beforeAll(async () => {
  const dashboard = JSON.parse(await readFile(DASHBOARD, 'utf8')) as { panels: readonly Panel[] };
  panels = dashboard.panels.filter(({ type }) => type !== 'row');
  const alerts = parse(await readFile(ALERTS, 'utf8')) as { groups: readonly { readonly rules: readonly Rule[] }[] };
  rules = alerts.groups.flatMap((group) => group.rules);
  const said: { address?: string }[] = [];
  const log: Logger = {
    ...silentLogger,
    info: (fields: unknown) => void said.push(fields as object),
    child: () => log,
  };
  worker = await startTestWorker({
    log,
    runtimes: [python({ preload: [] })],
    plugins: [
      llmMetering({ prices: [{ model: '*', promptPerMillion: 1, completionPerMillion: 10 }] }),
      cost({ gbSecond: 0.000002 }),
      prometheus({ port: 0 }),
      lamp(),
    ],
    // No container waits: the first job has a cold start.
    settings: { pool: { sizes: { python: 0 } }, worker: { slots: 1, prefetch: 0, drainTimeoutMs: 0 } },
  });
  address = String(said.find((fields) => fields?.address?.endsWith('/metrics'))?.address);
  const key = await worker.put({ 'main.py': MAIN });
  const job = async (input: object, more: object = {}) =>
    worker.run(undefined, { key, functionId: 'f', input, ...more });
  const traceparent = `00-${trace.id}-${trace.span}-01`;
  expect(await job({ holdMb: 0, exit: 0 }, { traceparent })).toMatchObject({ status: 'SUCCESS', traceparent });
  expect(await job({ holdMb: 0, exit: 1 })).toMatchObject({ status: 'FAILED' });
  expect(await job({ holdMb: 500, exit: 0 }, { memoryMb: 64 })).toMatchObject({ errorCode: 'NG_OUT_OF_MEMORY' });
  // One that keeps the only slot, and one that waits in the queue for as long.
  for (const _ of [1, 2]) {
    await worker.submit(undefined, { key, input: { holdMb: 0, exit: 0, seconds: 600 }, timeoutMs: 600_000 });
  }
  // A result is heard before the queue has been told.
  for (; ; await sleep(100)) {
    samples = parseExposition(await page());
    if (
      (sampleValue(samples, 'nanogrid_messages_settled_total', { outcome: 'published' }) ?? 0) >= 3 &&
      sampleValue(samples, 'nanogrid_slots_free') === 0 &&
      sampleValue(samples, 'nanogrid_queue_messages', { state: 'waiting' }) === 1
    )
      break;
  }
});

afterAll(async () => {
  await worker?.close();
});

async function page(accept = 'text/plain'): Promise<string> {
  return await (await fetch(address, { headers: { accept } })).text();
}

/** What an expression names that the page does not have. */
function missing({ selectors, grouping }: Query): string[] {
  const faults: string[] = [];
  const labels = new Set(TARGET_LABELS);
  for (const { metric, matchers } of selectors) {
    if (TARGET_METRICS.includes(metric)) continue;
    const series = samples.filter(({ name }) => name === metric);
    if (series.length === 0) faults.push(metric);
    for (const sample of series) for (const label of Object.keys(sample.labels)) labels.add(label);
    const own = matchers.filter(({ label }) => !TARGET_LABELS.includes(label));
    if (!series.some((sample) => own.every((matcher) => matches(matcher, sample.labels[matcher.label] ?? '')))) {
      faults.push(`${metric}${JSON.stringify(own)}`);
    }
    for (const { label } of own)
      if (!series.some((sample) => label in sample.labels)) faults.push(`${metric}.${label}`);
  }
  return [...faults, ...grouping.filter((label) => !labels.has(label))];
}

/** Grafana's own variables, as it fills them in. */
function filledIn(expression: string): string {
  return expression.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*');
}

describe('the dashboard', () => {
  test('asks for nothing that the worker does not tell', () => {
    const faults = panels.flatMap(({ title, targets = [] }) =>
      targets.flatMap(({ expr }) => missing(readPromql(filledIn(expr))).map((fault) => `${title}: ${fault}`)),
    );
    expect(faults).toEqual([]);
    expect(panels.length).toBeGreaterThan(25);
  });

  test('names in its legends only what its expressions keep', () => {
    for (const { title, targets = [] } of panels) {
      for (const { expr, legendFormat } of targets) {
        const named = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label as string);
        const { grouping, selectors } = readPromql(filledIn(expr));
        const kept = expr.includes(' by (') ? grouping : [...selectors.flatMap(() => TARGET_LABELS)];
        expect(kept, title).toEqual(expect.arrayContaining(named));
      }
    }
  });

  test('has no panel over another', () => {
    const cells = new Set<string>();
    for (const { title, gridPos } of panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(cells.has(`${x} ${y}`), title).toBe(false);
          cells.add(`${x} ${y}`);
        }
      }
    }
  });
});

describe('the alert rules', () => {
  test('ask for nothing that the worker does not tell', () => {
    const faults = rules.flatMap(({ alert, expr }) => missing(readPromql(expr)).map((fault) => `${alert}: ${fault}`));
    expect(faults).toEqual([]);
  });

  test('each have a name of their own, a severity, and what to do', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const { alert, labels, annotations } of rules) {
      expect(['page', 'ticket'], alert).toContain(labels.severity);
      expect(annotations.summary, alert).toMatch(/\.$/);
      expect(annotations.description, alert).toMatch(/\.$/);
    }
  });

  test('each have an example that fires', async () => {
    const { tests } = parse(await readFile(ALERT_TESTS, 'utf8')) as {
      tests: { alert_rule_test: { alertname: string; exp_alerts?: unknown[] }[] }[];
    };
    const checks = tests.flatMap(({ alert_rule_test }) => alert_rule_test);
    const fired = checks.filter(({ exp_alerts = [] }) => exp_alerts.length > 0).map(({ alertname }) => alertname);
    const quiet = checks.filter(({ exp_alerts = [] }) => exp_alerts.length === 0).map(({ alertname }) => alertname);
    const names = rules.map(({ alert }) => alert).sort();
    expect([...new Set(fired)].sort()).toEqual(names);
    expect([...new Set(quiet)].sort()).toEqual(names);
  });

  test('are what promtool takes, and fire as their examples say, where it is installed', async () => {
    const installed = await run('promtool', ['--version']).then(
      () => true,
      ({ code }: { code?: string }) => code !== 'ENOENT',
    );
    if (!installed) return;
    await run('promtool', ['check', 'rules', ALERTS]);
    await run('promtool', ['test', 'rules', ALERT_TESTS]);
  });
});

test('a check of names finds those that are not there', () => {
  expect(missing(readPromql('rate(nanogrid_slots_used[5m])'))).toContain('nanogrid_slots_used');
  expect(missing(readPromql('worker_jobs_processed_total{state="error"}'))).toContain(
    'worker_jobs_processed_total.state',
  );
  expect(missing(readPromql('worker_jobs_processed_total{status="broken"}'))).toHaveLength(1);
  expect(missing(readPromql('sum by (function) (nanogrid_slots)'))).toEqual(['function']);
  expect(() => readPromql('sum(')).toThrow('no PromQL');
});

test('an exemplar leads from the duration of a job to its trace', async () => {
  const text = await page('application/openmetrics-text;version=1.0.0');
  expect(text).toMatch(
    new RegExp(
      `worker_job_duration_seconds_bucket\\{.*\\} \\d+ # \\{trace_id="${trace.id}",span_id="${trace.span}"\\}`,
    ),
  );
});
