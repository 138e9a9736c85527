/** What a job cannot do and cannot leave behind, in every runtime that applies: one with a shim, and one without. */

import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shell } from '../support/shell-runtime.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

let worker: TestWorker;

beforeAll(async () => {
  worker = await startTestWorker({ runtimes: [python({ preload: ['numpy'] }), shell] });
});

afterAll(async () => {
  await worker?.close();
});

/** The same shell script as a function of each runtime. */
const asFunction = {
  shell: (script: string) => ({ 'main.sh': script }),
  python: (script: string) => ({
    'main.py': 'import subprocess, sys\nsys.exit(subprocess.run(["sh", "job.sh"]).returncode)',
    'job.sh': script,
  }),
};

describe.each(['shell', 'python'] as const)('%s', (runtime) => {
  const run = (script: string, options = {}) => worker.run(asFunction[runtime](script), { runtime, ...options });

  test('runs as an unprivileged user with nothing to gain', async () => {
    const result = await run(
      'id -u; id -G; grep -E "^(CapEff|CapPrm|CapInh|CapAmb|NoNewPrivs|Seccomp):" /proc/self/status',
    );
    const [uid, groups, ...status] = result.stdout.trim().split('\n');
    expect(Number(uid)).toBeGreaterThanOrEqual(20_000);
    expect(groups).toBe(uid);
    expect(status.map((line) => line.replace(/\s+/, ' '))).toEqual([
      'CapInh: 0000000000000000',
      'CapPrm: 0000000000000000',
      'CapEff: 0000000000000000',
      'CapAmb: 0000000000000000',
      'NoNewPrivs: 1',
      'Seccomp: 2',
    ]);
  });

  test('cannot write outside its places, and has no network', async () => {
    const script = `
for f in /x /etc/x /usr/x /nanogrid/x /nanogrid/bin/x /nanogrid/state/x /nanogrid/state/code/x /proc/1/oom_score_adj; do
  (echo x > $f) 2>/dev/null && echo "wrote $f"
done
for d in /tmp /var/tmp /dev/shm /output . ; do (echo x > $d/x) || echo "cannot write $d"; done
ls /sys/class/net
test -S /var/run/docker.sock && echo socket
exit 0`;
    expect((await run(script)).stdout).toBe('lo\n');
  });

  test('finds nothing that the job before it left, wherever that was', async () => {
    const key = await worker.put(
      asFunction[runtime](`
find /tmp /var/tmp /dev/shm /dev/mqueue /output . -mindepth 1 ! -name 'main.*' ! -name job.sh
cat main.* | tail -c 6
for d in /tmp /var/tmp /dev/shm /output .; do
  mkdir -p $d/a/b/.c && touch $d/.hidden "$d/with space" $d/a/b/.c/file && ln -s /etc $d/link && mkfifo $d/fifo
  chmod 000 $d/a/b/.c $d/a/b $d/a
done
echo broken >> main.sh 2>/dev/null || echo broken >> main.py
exit 0
`),
    );
    const first = await worker.run(undefined, { key, runtime, functionId: 'left' });
    const second = await worker.run(undefined, { key, runtime, functionId: 'left' });
    expect(first).toMatchObject({ status: 'SUCCESS', stderr: '' });
    expect(second.phases.start).toBe('reused');
    expect(second.stdout).toBe(first.stdout);
    expect(second.stdout).not.toContain('broken');
  });

  test('a folder too deep for any path is wiped', async () => {
    const script = 'i=0; while [ $i -lt 2000 ]; do mkdir d && cd d || exit 1; i=$((i+1)); done';
    const key = await worker.put(asFunction[runtime](`ls -A /tmp; cd /tmp; ${script}`));
    expect((await worker.run(undefined, { key, runtime, functionId: 'deep' })).stdout).toBe('');
    const again = await worker.run(undefined, { key, runtime, functionId: 'deep' });
    expect(again).toMatchObject({ status: 'SUCCESS', stdout: '', phases: { start: 'reused' } });
  });

  test('leaves no process behind: daemons, sessions of their own, closed files, stopped ones', async () => {
    const key = await worker.put(
      asFunction[runtime](`
n=0; for p in /proc/[0-9]*; do n=$((n+1)); done; echo $n
(setsid sleep 1000 >/dev/null 2>&1 &)
(setsid sh -c 'exec <&- >&- 2>&-; trap "" TERM HUP INT; while :; do sleep 1000; done' &)
sh -c 'kill -STOP $$' &
exit 0`),
    );
    const first = await worker.run(undefined, { key, runtime, functionId: 'daemons' });
    const second = await worker.run(undefined, { key, runtime, functionId: 'daemons' });
    expect(first.status).toBe('SUCCESS');
    expect(second.phases.start).toBe('reused');
    expect(second.stdout).toBe(first.stdout);
  });

  test('a fork bomb ends with its job, and the neighbour is served meanwhile', async () => {
    const bomb = run('bomb() { bomb | bomb & }; bomb; sleep 60', { timeoutMs: 1500 });
    const neighbour = await worker.run({ 'main.sh': 'echo fine' }, { runtime: 'shell' });
    expect(neighbour.stdout).toBe('fine\n');
    expect((await bomb).status).toBe('FAILED');
    expect((await run('echo again')).stdout).toBe('again\n');
  });

  test('cannot signal, trace or read the supervisor', async () => {
    const script = `
kill -9 1 2>/dev/null; kill -STOP 1 2>/dev/null; kill -TERM 1 2>/dev/null
cat /proc/1/environ /proc/1/mem 2>/dev/null
ls /proc/1/fd 2>/dev/null
(echo hello > /proc/1/fd/1) 2>/dev/null && echo wrote
echo alive`;
    expect((await run(script)).stdout).toBe('alive\n');
    await run('kill -9 -1');
    expect((await run('echo fine')).stdout).toBe('fine\n');
  });

  test('fills neither the disk nor the table of files', async () => {
    const disk = await run('dd if=/dev/zero of=/tmp/big bs=1M count=500 2>/dev/null || echo full', { memoryMb: 512 });
    expect(disk.stdout).toBe('full\n');
    const inodes = await run(
      'cd /tmp; i=0; while [ $i -lt 20000 ]; do : > $i || { echo full; exit; }; i=$((i+1)); done',
    );
    expect(inodes.stdout + inodes.stderr).toMatch(/full|No space/);
  });
});
