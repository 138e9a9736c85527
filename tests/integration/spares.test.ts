/** Processes that are started ahead, one for each job: a spare written in Perl, in real containers. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { spareRuntime } from '../support/spare-runtime.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

let worker: TestWorker;

beforeAll(async () => {
  worker = await startTestWorker({
    runtimes: [spareRuntime(), spareRuntime('chatty', 'writes-ahead')],
    settings: { reuse: { functions: { kept: 'process' } } },
  });
}, 120_000);

afterAll(() => worker.close());

describe('a spare process', () => {
  test('runs a script as the job’s user, with its streams, input and environment', async () => {
    const script = `open(my $p, '<', $ENV{PAYLOAD_FILE}); print "input ", <$p>, " stdin ", <STDIN>, "\\n";
      print "user ", ($> >= 20000 && $> == $<) ? "job" : $>, " groups ", scalar(grep { $_ != $> } split / /, $)), "\\n";
      print "id $ENV{JOB_ID} in ", readlink('/proc/self/cwd'), "\\n";
      print STDERR "said\\n"; exit 7;`;
    const result = await worker.run({ 'main.pl': script }, { runtime: 'spare', input: { a: 1 } });
    expect(result).toMatchObject({ status: 'FAILED', exitCode: 7, stderr: 'said\n' });
    expect(result.stdout).toBe(`input {"a":1} stdin {"a":1}\nuser job groups 0\nid ${result.requestId} in /function\n`);
    expect(result.runtimeVersion).toMatch(/^5\./);
  });

  test('serves one job: the next has a process of its own, in the same container', async () => {
    const key = await worker.put({ 'main.pl': 'our $n; sub run { $n++; return "[$n, $$]" }' });
    const job = { key, runtime: 'spare', handler: 'main.run', functionId: 'single' };
    const pids: number[] = [];
    for (let i = 0; i < 4; i++) {
      const result = await worker.run(undefined, job);
      expect(result.status, result.stderr).toBe('SUCCESS');
      expect(result.phases.start === 'reused').toBe(i > 0);
      const [count, pid] = result.result as number[];
      expect(count).toBe(1);
      pids.push(pid as number);
    }
    expect(new Set(pids).size).toBe(4);
  });

  test('writes ahead of its job: no job finds it in its output', async () => {
    const result = await worker.run({ 'main.pl': 'print "mine\\n";' }, { runtime: 'chatty' });
    expect(result).toMatchObject({ status: 'SUCCESS', stdout: 'mine\n', stderr: '' });
  });

  test('is kept for a handler: its state is there for the next job, and what that reads is its own', async () => {
    const code = 'our $n; sub run { my ($i) = @_; seek(STDIN, 0, 1); $n++; return "[$n, $i]" }';
    const key = await worker.put({ 'main.pl': code });
    for (let i = 1; i <= 3; i++) {
      const result = await worker.run(undefined, {
        key,
        runtime: 'spare',
        handler: 'main.run',
        functionId: 'kept',
        input: i,
      });
      expect(result).toMatchObject({ status: 'SUCCESS', result: [i, i] });
    }
  });
});
