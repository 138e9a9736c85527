/** The main job end to end: real containers, the embedded twins, Python. */

import { readFile } from 'node:fs/promises';
import { python } from '@nanogrid/runtime-python';
import { PNG } from 'pngjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';
import { zip } from '../support/zip.js';

let worker: TestWorker;

beforeAll(async () => {
  worker = await startTestWorker({ runtimes: [python()] });
});

afterAll(async () => {
  await worker?.close();
});

describe('a script', () => {
  test('runs, and its last line of JSON is the result', async () => {
    const result = await worker.run({ 'main.py': 'print("working")\nprint(\'{"answer": 42}\')' }, { functionId: 'f' });
    expect(result).toMatchObject({
      status: 'SUCCESS',
      functionId: 'f',
      runtime: 'python',
      exitCode: 0,
      stdout: 'working\n{"answer": 42}\n',
      stderr: '',
      result: { answer: 42 },
      outputFiles: [],
      attempt: 1,
    });
    expect(result.runtimeVersion).toMatch(/^3\.\d+\.\d+$/);
    expect(result.durationMs).toBeGreaterThan(0);
    expect(result.phases.exec).toBeGreaterThan(0);
    // Pages that the kernel had taken in advance may cover a program as small as this.
    expect(result.peakMemoryBytes).toBeGreaterThanOrEqual(0);
  });

  test('gets its input on stdin, in the file and in the variable', async () => {
    const code = `
import json, os, sys
a = json.load(sys.stdin)
b = json.load(open(os.environ["PAYLOAD_FILE"]))
c = json.loads(os.environ["PAYLOAD"])
assert a == b == c
print(json.dumps(a))`;
    const input = { text: 'ünïcödé 🚀', nested: [1, null, true], ['__proto__']: { polluted: true } };
    const result = await worker.run({ 'main.py': code }, { input });
    expect(result.stderr).toBe('');
    expect(JSON.stringify(result.result)).toBe(JSON.stringify(input));
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test('finds what was loaded ahead as Python counts nothing of, so that using it copies no page; its own it counts', async () => {
    const code = `
import json, sys
own = object()
never = sys.getrefcount(None)
print(json.dumps([sys.getrefcount(x) == never for x in (json, json.dumps.__code__, json.dumps.__code__.co_consts, own)]))`;
    expect((await worker.run({ 'main.py': code })).result).toEqual([true, true, true, false]);
  });

  test('gets an input of 1 MiB whole', async () => {
    const code = 'import json, os, sys\nprint(json.dumps([len(json.load(sys.stdin)), "PAYLOAD" in os.environ]))';
    const result = await worker.run({ 'main.py': code }, { input: 'x'.repeat(2 ** 20) });
    expect(result.result).toEqual([2 ** 20, false]);
  });

  test('sees its own environment and nothing of the worker', async () => {
    process.env.NANOGRID_TEST_SECRET = 'hush';
    const code = 'import json, os\nprint(json.dumps(dict(os.environ)))';
    const result = await worker.run({ 'main.py': code }, { functionId: 'fn-1', input: 1 });
    const env = result.result as Record<string, string>;
    expect(env).toMatchObject({
      JOB_ID: result.requestId,
      REQUEST_ID: result.requestId,
      FUNCTION_ID: 'fn-1',
      OUTPUT_DIR: '/output',
      PAYLOAD: '1',
    });
    expect(JSON.stringify(env)).not.toContain('hush');
    expect(Object.keys(env).filter((name) => name.startsWith('NANOGRID'))).toEqual([]);
  });

  test('imports its own modules, even where they are named like one of the standard library', async () => {
    const result = await worker.run({
      'main.py': 'import json, random, helper.deep\nprint(json.dumps([random.mine, helper.deep.value]))',
      'random.py': 'mine = "yes"',
      'helper/__init__.py': '',
      'helper/deep.py': 'value = 7',
    });
    expect(result.result).toEqual(['yes', 7]);
  });

  test('uses preloaded packages, each process with random numbers of its own', async () => {
    const key = await worker.put({
      'main.py': 'import numpy, pandas, random\nprint([numpy.random.rand(), random.random()])',
    });
    const runs = [];
    for (let i = 0; i < 3; i++) runs.push((await worker.run(undefined, { key, functionId: 'rnd' })).stdout);
    expect(new Set(runs).size).toBe(3);
  });

  test('that fails is reported with its traceback, without frames of ours', async () => {
    const result = await worker.run({ 'main.py': 'def f():\n    return 1 / 0\nf()\n' });
    expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_EXIT_CODE', exitCode: 1 });
    expect(result.errorMessage).toContain('ZeroDivisionError: division by zero');
    expect(result.stderr).toMatch(/^Traceback \(most recent call last\):\n {2}File "\/function\/main.py", line 3/);
    expect(result.stderr).not.toContain('shim');
  });

  test.each([
    ['import sys; sys.exit(3)', 3, ''],
    ['import sys; sys.exit()', 0, ''],
    ['import sys; sys.exit("no way")', 1, 'no way\n'],
    ['raise SystemExit(0)', 0, ''],
    ['import os; os._exit(9)', 9, ''],
  ])('%s', async (code, exitCode, stderr) => {
    const result = await worker.run({ 'main.py': code });
    expect(result).toMatchObject({ exitCode, stderr, status: exitCode === 0 ? 'SUCCESS' : 'FAILED' });
  });

  test('that is killed names the signal', async () => {
    const result = await worker.run({ 'main.py': 'import os, signal; os.kill(os.getpid(), signal.SIGSEGV)' });
    expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_SIGNAL', signal: 'SIGSEGV' });
  });

  test('that has a syntax error says where', async () => {
    const result = await worker.run({ 'main.py': 'print("a"\n' });
    expect(result).toMatchObject({ status: 'FAILED', exitCode: 1 });
    expect(result.stderr).toContain('SyntaxError');
  });

  test('finds its files byte for byte, with their folders and permissions', async () => {
    const code =
      'import json, os\nprint(json.dumps([os.listdir("empty/deep"), os.access("run.sh", os.X_OK), os.access("data.bin", os.X_OK)]))\nopen("/output/copy", "wb").write(open("data.bin", "rb").read())';
    const data = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) % 256));
    const result = await worker.run({ 'main.py': code, 'empty/deep/': '', 'run.sh': '', 'data.bin': data });
    expect(result.result).toEqual([[], true, false]);
    expect((await readFile(new URL(result.outputFiles[0] ?? ''))).equals(data)).toBe(true);
  });

  test('may be a single source file', async () => {
    const key = await worker.put('print("single")', 'py');
    expect(await worker.run(undefined, { key })).toMatchObject({ status: 'SUCCESS', stdout: 'single\n' });
  });

  test('waits for its threads and runs its exit functions', async () => {
    const code = `
import atexit, threading, time
atexit.register(lambda: print("bye"))
threading.Thread(target=lambda: (time.sleep(0.05), print("thread"))).start()`;
    expect((await worker.run({ 'main.py': code })).stdout).toBe('thread\nbye\n');
  });

  test('gives its last line back in binary-safe text, and is capped', async () => {
    const noise = 'import sys\nsys.stdout.buffer.write(b"\\xff\\x00ok\\n")\nsys.stderr.write("e" * 3_000_000)';
    const result = await worker.run({ 'main.py': noise });
    expect(result.stdout).toBe('\ufffd\u0000ok\n');
    expect(result.stderr).toHaveLength(2 ** 20);
    expect(result.stderrTruncated).toBe(true);
    expect(result.stdoutTruncated).toBeUndefined();
  });
});

describe('a handler', () => {
  test('gets event and context, and its value is the result', async () => {
    const code = `
def handler(event, context):
    return {"event": event, "job": context.job_id, "memory": context.memory_limit_in_mb,
            "left": 0 < context.get_remaining_time_in_millis() <= 50000}`;
    const result = await worker.run(
      { 'app.py': code },
      { handler: 'app.handler', input: [1], memoryMb: 200, timeoutMs: 50_000 },
    );
    expect(result.result).toEqual({ event: [1], job: result.requestId, memory: 200, left: true });
  });

  test('may be async, and may lie in a package', async () => {
    const code = 'import asyncio\nasync def go(event, context):\n    await asyncio.sleep(0.01)\n    return "later"';
    expect((await worker.run({ 'pkg/mod.py': code }, { handler: 'pkg/mod.go' })).result).toBe('later');
  });

  test.each([
    ['def handler(e, c): raise ValueError("bad order")', 'main.handler', 'NG_EXIT_CODE', 'ValueError: bad order'],
    ['def handler(e, c): return object()', 'main.handler', 'NG_EXIT_CODE', 'not JSON'],
    ['def other(e, c): pass', 'main.handler', 'NG_EXIT_CODE', "no function 'handler'"],
    ['', 'absent.handler', 'NG_EXIT_CODE', "no module 'absent'"],
    ['import os\ndef handler(e, c): os._exit(0)', 'main.handler', 'NG_HANDLER_INVALID', 'before it returned'],
  ])('that does not work: %s', async (code, handler, errorCode, message) => {
    const result = await worker.run({ 'main.py': code }, { handler });
    expect(result).toMatchObject({ status: 'FAILED', errorCode });
    expect(result.errorMessage).toContain(message);
  });
});

describe('output files', () => {
  test('are stored with their URLs in name order, nested folders too', async () => {
    const code = `
import os
os.makedirs("/output/b/c")
open("/output/b/c/deep.txt", "w").write("deep")
open("/output/a.bin", "wb").write(bytes(range(256)) * 1000)
open("/output/empty", "w")`;
    const result = await worker.run({ 'main.py': code });
    const names = result.outputFiles.map((url) => url.split(`outputs/${result.requestId}/`)[1]);
    expect(names).toEqual(['a.bin', 'b/c/deep.txt', 'empty']);
    const contents = await Promise.all(result.outputFiles.map((url) => readFile(new URL(url))));
    expect(contents[0]?.equals(Buffer.alloc(256_000, Buffer.from(Array.from({ length: 256 }, (_, i) => i))))).toBe(
      true,
    );
    expect(contents[1]?.toString()).toBe('deep');
    expect(contents[2]).toHaveLength(0);
  });

  test('a resized picture opens as what it should be', async () => {
    const photo = PNG.sync.write(new PNG({ width: 200, height: 100 }));
    const code = `
from PIL import Image
Image.open("photo.png").resize((40, 20)).save("/output/small.png")`;
    const result = await worker.run({ 'main.py': code, 'photo.png': photo });
    expect(result.stderr).toBe('');
    const small = PNG.sync.read(await readFile(new URL(result.outputFiles[0] ?? '')));
    expect([small.width, small.height]).toEqual([40, 20]);
  });

  test('links and special files are left out and told, and nothing foreign is read', async () => {
    const code = `
import os, socket
os.symlink("/etc/passwd", "/output/link")
os.symlink("/etc", "/output/folder")
os.mkfifo("/output/fifo")
socket.socket(socket.AF_UNIX).bind("/output/socket")
open("/output/real", "w").write("mine")
os.chmod("/output/real", 0)`;
    const result = await worker.run({ 'main.py': code });
    expect(result.stderr).toBe('');
    expect(result.outputFiles).toHaveLength(1);
    expect((await readFile(new URL(result.outputFiles[0] ?? ''))).toString()).toBe('mine');
    expect(result.outputErrors?.map(({ path, reason }) => `${path}: ${reason}`)).toEqual([
      'fifo: not a regular file',
      'folder: a symbolic link',
      'link: a symbolic link',
      'socket: not a regular file',
    ]);
  });

  test.each([
    ['for i in range(300): open(f"/output/{i}", "w")', 'more than 256 files'],
    ['open("/output/big", "wb").truncate(1 << 40)', 'larger than'],
    ['import os\nos.makedirs("/output/" + "d/" * 20)', 'too deep'],
  ])('over a cap is a failure that says so: %s', async (code, reason) => {
    const result = await worker.run({ 'main.py': code });
    expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_OUTPUT_LIMIT' });
    expect(result.errorMessage).toContain(reason);
  });
});

describe('limits', () => {
  test('a function that ignores SIGTERM is dead soon after its deadline', async () => {
    const code = 'import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint("started")\ntime.sleep(60)';
    // Time to begin, on a busy machine too; then the grace of 200 ms.
    const result = await worker.run({ 'main.py': code }, { timeoutMs: 4_000 });
    expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_TIMEOUT', signal: 'SIGKILL', stdout: 'started\n' });
    expect(result.durationMs).toBeGreaterThanOrEqual(4_200);
  });

  test('a function that eats memory is told of as such, and the next job is served', async () => {
    const result = await worker.run({ 'main.py': 'x = bytearray(400 << 20)\nprint(len(x))' }, { memoryMb: 64 });
    expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_OUT_OF_MEMORY', memoryMb: 64 });
    expect(result.peakMemoryBytes / 2 ** 20).toBeLessThan(90);
    expect((await worker.run({ 'main.py': 'print(1)' })).status).toBe('SUCCESS');
  });

  test('the peak is the job’s own, not that of the job before', async () => {
    const hold = (mib: number) => `import time\nx = bytearray(${mib} << 20)\ntime.sleep(0.05)`;
    const key = await worker.put({ 'main.py': `import sys, json\nexec(json.load(sys.stdin))` });
    const big = await worker.run(undefined, { key, functionId: 'peak', input: hold(100) });
    const small = await worker.run(undefined, { key, functionId: 'peak', input: hold(30) });
    expect(small.phases.start).toBe('reused');
    // How exact they are is the matter of another test.
    expect(big.peakMemoryBytes / 2 ** 20).toBeGreaterThan(90);
    expect(big.peakMemoryBytes / 2 ** 20).toBeLessThan(125);
    expect(small.peakMemoryBytes / 2 ** 20).toBeGreaterThan(20);
    expect(small.peakMemoryBytes / 2 ** 20).toBeLessThan(60);
  });
});

describe('what cannot be run', () => {
  test('code without the entry point names what it has', async () => {
    const result = await worker.run({ 'app/main.py': '', 'readme.md': '' });
    expect(result).toMatchObject({ status: 'FAILED', errorCode: 'NG_ENTRYPOINT_MISSING' });
    expect(result.errorMessage).toContain('"app/main.py", which must lie at the top');
  });

  test('a broken archive', async () => {
    const whole = await zip({ 'main.py': 'print(1)' });
    const key = 'broken/code.zip';
    await worker.client.code.put({ bucket: undefined, key }, whole.subarray(0, whole.length - 10));
    expect(await worker.run(undefined, { key })).toMatchObject({ status: 'FAILED', errorCode: 'NG_ARCHIVE_BROKEN' });
  });

  test('code that is not there, and a runtime that nobody has, are tried again and told on the last attempt', async () => {
    const [missing, unknown] = await Promise.all([
      worker.run(undefined, { key: 'no/such.zip' }),
      worker.run({ 'main.py': '' }, { runtime: 'cobol' }),
    ]);
    expect(missing).toMatchObject({ status: 'ERROR', errorCode: 'NG_CODE_NOT_FOUND', attempt: 3 });
    expect(unknown).toMatchObject({ status: 'ERROR', errorCode: 'NG_RUNTIME_UNKNOWN', attempt: 3 });
    expect(unknown.errorMessage).toContain('python');
  });

  test('a message with a fault is answered with the field named', async () => {
    worker.client.queue.send(JSON.stringify({ requestId: 'bad-1', runtime: 'python', s3Key: '../up.zip' }));
    expect(await worker.result('bad-1')).toMatchObject({ status: 'ERROR', errorCode: 'NG_MESSAGE_INVALID' });
    expect((await worker.result('bad-1')).errorMessage).toContain('s3Key');
  });

  test('a message without an id goes to the dead letters, and the loop goes on', async () => {
    worker.client.queue.send('{"hello": 1}');
    worker.client.queue.send('not even JSON');
    expect((await worker.run({ 'main.py': '' })).status).toBe('SUCCESS');
    await expect.poll(async () => (await worker.client.queue.stats()).deadLetters).toBeGreaterThanOrEqual(2);
  });
});

test('a job in the snake dialect is answered in it', async () => {
  const s3_key = await worker.put({
    'main.py': 'def handler(event, context):\n    print("log")\n    return event["n"] * 2',
  });
  const message = {
    job_id: 'snake-1',
    runtime: 'python3.9',
    handler: 'main.handler',
    s3_key,
    timeout: 5,
    payload: { n: 21 },
  };
  worker.client.queue.send(JSON.stringify(message));
  const result = await worker.client.results.wait('snake-1', AbortSignal.timeout(100_000));
  expect(result).toMatchObject({
    job_id: 'snake-1',
    status: 'completed',
    result: 42,
    logs: 'log\n',
    exit_code: 0,
    output_files: [],
  });
});

test('100 jobs of mixed functions at once: all correct, none sees another’s files', async () => {
  const code = (name: string) => `
import json, os, sys
places = ["/tmp", "/var/tmp", "/dev/shm", "/output", "."]
found = sorted(f for place in places for f in os.listdir(place))
event = json.load(sys.stdin)
for place in places:
    open(os.path.join(place, f"{event}.left"), "w").write(str(event))
print(json.dumps({"me": "${name}", "event": event, "found": found}))`;
  const keys = await Promise.all(['a', 'b', 'c', 'd'].map((name) => worker.put({ 'main.py': code(name) })));
  const jobs = Array.from({ length: 100 }, (_, i) => ({ i, which: i % 5 }));
  const failing = await worker.put({ 'main.py': 'raise SystemExit(7)' });
  const results = await Promise.all(
    jobs.map(({ i, which }) =>
      which === 4
        ? worker.run(undefined, { key: failing, functionId: 'failing' })
        : worker.run(undefined, { key: keys[which] ?? '', functionId: `f${which}`, input: i }),
    ),
  );
  for (const { i, which } of jobs) {
    const result = results[i];
    if (which === 4) expect(result).toMatchObject({ status: 'FAILED', exitCode: 7 });
    else expect(result?.result).toEqual({ me: 'abcd'[which], event: i, found: ['main.py'] });
    if (which !== 4) expect(result?.outputFiles).toHaveLength(1);
  }
});
