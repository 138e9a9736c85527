import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { RunReport } from '../exec/run-report.js';
import { locateCounter } from './cgroup-files.js';
import { PeakMemoryCounter } from './peak-memory-counter.js';

const MIB = 2 ** 20;
const ID = `${'c0ffee'.repeat(10)}abcd`;
const PID = 4242;
const scratch: string[] = [];

afterEach(() => {
  for (const path of scratch.splice(0)) rmSync(path, { recursive: true, force: true });
});

function temporary(): string {
  const path = mkdtempSync(join(tmpdir(), 'nanogrid-cgroup-'));
  scratch.push(path);
  return path;
}

/** A process table with one container in it, and the mounts that this process sees. */
function processes(cgroup: string, mountinfo: string): string {
  const proc = temporary();
  for (const name of [`${PID}`, 'self']) mkdirSync(join(proc, name));
  writeFileSync(join(proc, `${PID}`, 'cgroup'), cgroup);
  writeFileSync(join(proc, 'self', 'mountinfo'), mountinfo);
  return proc;
}

const v1Mounts = (point: string, root = '/') => `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
35 31 0:32 ${root} ${point} rw,relatime shared:9 - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`;
const v2Mounts = (point: string, root = '/') =>
  `35 24 0:30 ${root} ${point} rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n`;
const v1Groups = (path: string) =>
  `9:pids:${path}\n5:memory:${path}\n2:cpuacct:${path}\n1:name=systemd:${path}\n0::/\n`;

describe('the counter’s file', () => {
  const SYSTEMD = `/system.slice/docker-${ID}.scope`;
  const places: [name: string, groups: string, mounts: string, expected: string | undefined][] = [
    ['v1, cgroupfs driver', v1Groups(`/docker/${ID}`), v1Mounts('/m'), `/m/docker/${ID}/memory.max_usage_in_bytes`],
    ['v1, systemd driver', v1Groups(SYSTEMD), v1Mounts('/m'), `/m${SYSTEMD}/memory.max_usage_in_bytes`],
    [
      'v1 with controllers together',
      `4:cpu,memory,cpuacct:/docker/${ID}\n`,
      v1Mounts('/m').replace('rw,memory', 'rw,cpu,cpuacct,memory'),
      `/m/docker/${ID}/memory.max_usage_in_bytes`,
    ],
    ['v2, systemd driver', `0::${SYSTEMD}\n`, v2Mounts('/sys/fs/cgroup'), `/sys/fs/cgroup${SYSTEMD}/memory.peak`],
    ['v2, cgroupfs driver', `0::/docker/${ID}\n`, v2Mounts('/g'), `/g/docker/${ID}/memory.peak`],
    [
      'both, memory in v1',
      `5:memory:/docker/${ID}\n0::/docker/${ID}\n`,
      `${v2Mounts('/u')}${v1Mounts('/m')}`,
      `/m/docker/${ID}/memory.max_usage_in_bytes`,
    ],
    [
      'both, memory in v2',
      `1:name=systemd:/docker/${ID}\n0::/docker/${ID}\n`,
      `1 0 0:1 / /s rw - cgroup cgroup rw,name=systemd\n${v2Mounts('/u')}`,
      `/u/docker/${ID}/memory.peak`,
    ],
    [
      'an engine in a container: the mount shows the outer container’s own part',
      v1Groups(`/docker/outer/docker/${ID}`),
      v1Mounts('/m', '/docker/outer'),
      `/m/docker/${ID}/memory.max_usage_in_bytes`,
    ],
    ['a cgroup namespace, the container beside it', `0::/../docker-${ID}.scope\n`, v2Mounts('/g'), undefined],
    ['a mount that shows another part', `0::/docker/${ID}\n`, v2Mounts('/g', '/docker/other'), undefined],
    ['a process of that id which is not the container’s', '0::/user.slice\n', v2Mounts('/g'), undefined],
    ['no cgroup mounted', `0::/docker/${ID}\n`, '1 0 0:1 / / rw - ext4 /dev/sda rw\n', undefined],
  ];

  test.each(places)('%s', (_name, groups, mounts, expected) => {
    expect(locateCounter(processes(groups, mounts), PID, ID)?.peak).toBe(expected);
  });

  test('of a process that is not there, or of no process', () => {
    expect(locateCounter(temporary(), PID, ID)).toBeUndefined();
    expect(locateCounter('/proc', 0, ID)).toBeUndefined();
  });
});

const memory = {
  startBytes: 10 * MIB,
  endBytes: 10 * MIB,
  peakStartBytes: 500 * MIB,
  peakBytes: 500 * MIB,
  cacheStartBytes: 0,
  cacheEndBytes: 0,
  cacheMaxBytes: 0,
  heldMaxBytes: 0,
};
const report = (changed: Partial<RunReport['memory']>, maxRssBytes = 7 * MIB) =>
  ({ memory: { ...memory, ...changed }, maxRssBytes }) as RunReport;

/** A counter that is attached to a file with this text; the file stands in for the kernel's, and can be changed. */
function attached(version: 1 | 2, text: string) {
  const point = temporary();
  const folder = join(point, 'docker', ID);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, version === 1 ? 'memory.max_usage_in_bytes' : 'memory.peak');
  writeFileSync(file, text);
  const groups = version === 1 ? v1Groups(`/docker/${ID}`) : `0::/docker/${ID}\n`;
  const counter = new PeakMemoryCounter(processes(groups, version === 1 ? v1Mounts(point) : v2Mounts(point)));
  counter.attach(PID, ID);
  return { counter, file };
}

describe('the job’s peak', () => {
  test('v1: what the supervisor read, once the mark was reset', () => {
    const { counter, file } = attached(1, '524288000\n');
    counter.reset();
    expect(readFileSync(file, 'utf8')).toBe('024288000\n');
    const read = counter.read(report({ peakBytes: 60 * MIB }));
    expect(read).toEqual({ peakBytes: 50 * MIB, peakSource: 'cgroup' });
    counter.close();
  });

  test('v2: what the descriptor reads that reset it, since nobody else sees that mark', () => {
    const { counter, file } = attached(2, '524288000\n');
    counter.reset();
    expect(readFileSync(file, 'utf8')).toBe('024288000\n');
    writeFileSync(file, `${60 * MIB}\n`);
    // Only the descriptor that is open leads to it now.
    rmSync(file);
    expect(counter.read(report({}))).toEqual({ peakBytes: 50 * MIB, peakSource: 'cgroup' });
    counter.close();
  });

  test('v2 before Linux 6.12, or out of reach: the largest process, where the mark is an earlier job’s', () => {
    const { counter, file } = attached(2, '');
    counter.close();
    rmSync(file);
    counter.attach(PID, ID);
    counter.reset();
    expect(counter.read(report({}))).toEqual({ peakBytes: 7 * MIB, peakSource: 'rusage' });
    // A mark that rose was raised by this job.
    expect(counter.read(report({ peakBytes: 510 * MIB }))).toEqual({ peakBytes: 500 * MIB, peakSource: 'cgroup' });
    // Several processes hold more than the largest.
    expect(counter.read(report({ heldMaxBytes: 40 * MIB }))).toEqual({ peakBytes: 30 * MIB, peakSource: 'cgroup' });
  });

  test('without page cache, whenever it came or went', () => {
    const { counter } = attached(1, '0\n');
    counter.reset();
    const peak = (changed: Partial<RunReport['memory']>) => counter.read(report(changed)).peakBytes / MIB;
    expect(peak({ peakBytes: 360 * MIB, cacheEndBytes: 300 * MIB, endBytes: 310 * MIB })).toBe(50);
    expect(peak({ peakBytes: 360 * MIB, cacheMaxBytes: 350 * MIB })).toBe(0);
    expect(peak({ peakBytes: 360 * MIB, cacheMaxBytes: 350 * MIB, heldMaxBytes: 110 * MIB })).toBe(100);
    expect(peak({ peakBytes: 60 * MIB, startBytes: 20 * MIB })).toBe(50);
    counter.close();
  });
});
