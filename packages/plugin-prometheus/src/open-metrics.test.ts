import { afterEach, describe, expect, test } from 'vitest';
import { job, type Lab, startLab, success } from './metrics-lab.test.util.js';
import { wantsOpenMetrics } from './open-metrics.js';
import { parseExposition } from './parse-exposition.test.util.js';

let lab: Lab | undefined;

afterEach(() => lab?.stop());

const OPEN = 'application/openmetrics-text;version=1.0.0';
const trace = { id: 'a'.repeat(32), span: 'b'.repeat(16) };
const traceparent = `00-${trace.id}-${trace.span}-01`;

async function page(address: string, accept: string) {
  const answer = await fetch(address, { headers: { accept } });
  return { type: answer.headers.get('content-type') ?? '', text: await answer.text() };
}

describe('who asks for OpenMetrics', () => {
  test('gets traces of jobs as exemplars', async () => {
    lab = await startLab({ processMetrics: false });
    await lab.hooks.onResult.promise({ ...success, traceparent }, job);
    const { type, text } = await page(lab.address, OPEN);
    expect(type).toContain('application/openmetrics-text; version=1.0.0');
    expect(text.endsWith('\n# EOF\n')).toBe(true);
    const exemplar = `# \\{trace_id="${trace.id}",span_id="${trace.span}"\\}`;
    const labels = 'runtime="python",model=""';
    expect(text).toMatch(
      new RegExp(`worker_job_duration_seconds_bucket\\{le="0.025",${labels}\\} 1 ${exemplar} 0.02 `),
    );
    expect(text).toMatch(new RegExp(`worker_jobs_processed_total\\{status="success",${labels}\\} 1 ${exemplar} 1 `));
    expect(text).toContain('# TYPE worker_jobs_processed counter\n');
  });

  test('gets none of traces that nobody records', async () => {
    lab = await startLab({ processMetrics: false });
    await lab.hooks.onResult.promise({ ...success, traceparent: traceparent.replace(/01$/, '00') }, job);
    expect((await page(lab.address, OPEN)).text).not.toContain('trace_id');
  });

  test('takes nothing from who asks for the text format', async () => {
    lab = await startLab({ processMetrics: false });
    await lab.hooks.onResult.promise({ ...success, traceparent }, job);
    const names = async () => {
      const { type, text } = await page(lab?.address ?? '', 'text/plain');
      expect(type).toContain('text/plain; version=0.0.4');
      return parseExposition(text).map(({ name }) => name);
    };
    const before = await names();
    await page(lab.address, OPEN);
    await page(lab.address, OPEN);
    expect(await names()).toEqual(before);
    expect(before).toContain('worker_jobs_processed_total');
  });
});

test.each([
  [undefined, false],
  ['*/*', false],
  ['text/plain', false],
  [OPEN, true],
  ['application/openmetrics-text', true],
  ['application/openmetrics-text; version=0.0.1', false],
  [`${OPEN};q=0`, false],
  [`${OPEN};q=0.2,text/plain;version=0.0.4;q=0.5`, false],
  // Prometheus 2 and 3.
  [`${OPEN},application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1`, true],
  [`${OPEN};escaping=allow-utf-8;q=0.6,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,*/*;q=0.1`, true],
  [';;=,q=', false],
])('%j wants it: %j', (accept, wants) => {
  expect(wantsOpenMetrics(accept)).toBe(wants);
});
