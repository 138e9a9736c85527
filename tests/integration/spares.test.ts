/** Processes that are started ahead, one for each job: a spare written in Perl, in real containers. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { spareRuntime } from '../support/spare-runtime.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

let worker: TestWorker;

beforeAll(async () => {
  worker = await startTestWorker({
    runtimes: [
      spareRuntime(),
      spareRuntime('chatty', 'writes-ahead'),
      spareRuntime('rooted', 'never-drops'),
      spareRuntime('brittle', 'ends-with-its-job'),
    ],
    settings: { reuse: { functions: { kept: 'process' }, maxUses: 3 } },
  });
});

afterAll(() => worker?.close());

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
    const job = { key, runtime: 'spare', handler: 'main.run', functionId: 'kept' };
    const found: unknown[] = [];
    for (let input = 1; input <= 5; input++) found.push((await worker.run(undefined, { ...job, input })).result);
    // Three jobs of each process, as the configuration has it.
    expect(found).toEqual([1, 2, 3, 4, 5].map((input) => [1 + ((input - 1) % 3), input]));
  });

  test('is not kept longer than the configuration has it', async () => {
    await using hasty = await startTestWorker({
      runtimes: [spareRuntime('hasty')],
      settings: { reuse: { default: 'process', maxAgeMs: 1 } },
    });
    const key = await hasty.put({ 'main.pl': 'our $n; sub run { $n++; return "[$n, $$]" }' });
    const job = { key, runtime: 'hasty', handler: 'main.run', functionId: 'f' };
    const [first, second] = [await hasty.run(undefined, job), await hasty.run(undefined, job)];
    expect([first, second].map(({ result }) => (result as number[])[0])).toEqual([1, 1]);
    expect(second.phases.start).toBe('reused');
  });

  test('that never becomes the job’s user is killed at the deadline all the same', async () => {
    const result = await worker.run({ 'main.pl': '' }, { runtime: 'rooted', timeoutMs: 300 });
    expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_TIMEOUT' });
    expect(result.durationMs).toBeLessThan(30_000);
  });

  test('that ends when it gets its job has failed it, and no more', async () => {
    const result = await worker.run({ 'main.pl': '' }, { runtime: 'brittle' });
    expect(result).toMatchObject({ status: 'FAILED', exitCode: 1, attempt: 1 });
  });
});
