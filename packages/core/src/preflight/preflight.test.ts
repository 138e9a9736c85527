import { describe, expect, test } from 'vitest';
import { NanoGridError } from '../errors.js';
import { silentLogger } from '../logger.js';
import type { EngineInfo } from '../pool/container-engine.js';
import { ADVISORIES } from './advisories.js';
import { checkEngine, type PreflightOptions } from './check-engine.js';
import { enforcePreflight } from './enforce-preflight.js';
import { hasFix, parseVersion, type Version } from './version.js';

/** What a current engine with everything says. */
const info: EngineInfo = {
  version: '29.5.1',
  apiVersion: '1.54',
  os: 'linux',
  arch: 'amd64',
  processors: 2,
  cgroupVersion: '2',
  runtimes: ['io.containerd.runc.v2', 'runc', 'runsc'],
  defaultRuntime: 'runc',
  securityOptions: ['name=seccomp,profile=builtin', 'name=cgroupns'],
  components: { engine: '29.5.1', containerd: '2.2.0', runc: '1.3.3' },
  limits: { memory: true, swap: true, pids: true, cpus: true },
  warnings: [],
};

const options: PreflightOptions = { preflight: 'warn', ociRuntime: undefined };

const check = (change: Partial<EngineInfo>, how: Partial<PreflightOptions> = {}) =>
  Object.fromEntries(
    checkEngine({ ...info, ...change }, { ...options, ...how }).map((finding) => [finding.name, finding]),
  );

const limits = (change: Partial<EngineInfo['limits']>) => ({ limits: { ...info.limits, ...change } });

describe('an engine', () => {
  test('with everything is fine, under either policy', () => {
    for (const preflight of ['warn', 'refuse'] as const) {
      for (const { status } of checkEngine(info, { ...options, preflight })) expect(status).toBe('ok');
    }
  });

  test.each<[string, Partial<EngineInfo>, string]>([
    ['too old', { apiVersion: '1.40' }, 'Docker'],
    ['with an API version that sorts wrongly as a number', { apiVersion: '1.5' }, 'Docker'],
    ['of Windows', { os: 'windows' }, 'cgroups'],
    ['without memory limits', limits({ memory: false }), 'memory limit'],
    ['without process limits', limits({ pids: false }), 'process limit'],
    ['without CPU limits', limits({ cpus: false }), 'CPU limit'],
    ['without seccomp', { securityOptions: [] }, 'seccomp'],
    ['unconfined by default', { securityOptions: ['name=seccomp,profile=unconfined'] }, 'seccomp'],
  ])('%s is refused under either policy', (_what, change, name) => {
    expect(check(change)[name]).toMatchObject({ status: 'fail', hint: expect.any(String) });
    expect(check(change, { preflight: 'refuse' })[name]).toMatchObject({ status: 'fail' });
  });

  test.each<[string, Partial<EngineInfo>, string]>([
    ['without swap limits', limits({ swap: false }), 'swap limit'],
    ['that does not say what it limits', limits({ memory: undefined }), 'memory limit'],
    ['with an old runc', { components: { runc: '1.1.5+ds1-1+deb12u1' } }, 'runc version'],
    ['with an unreadable version', { components: { runc: 'commit-4711' } }, 'runc version'],
    [
      'open to the network',
      { warnings: ['WARNING: API is accessible on http://0.0.0.0:2375 without encryption.'] },
      'engine’s access',
    ],
  ])('%s is a warning, which "refuse" turns into a failure', (_what, change, name) => {
    expect(check(change)[name]).toMatchObject({ status: 'warn', hint: expect.any(String) });
    expect(check(change, { preflight: 'refuse' })[name]).toMatchObject({ status: 'fail' });
  });

  test('without the chosen OCI runtime is refused', () => {
    expect(check({}, { ociRuntime: 'runsc' })['OCI runtime']).toMatchObject({ status: 'ok', found: 'runsc' });
    expect(check({ runtimes: ['runc'] }, { ociRuntime: 'runsc' })['OCI runtime']).toMatchObject({
      status: 'fail',
      found: 'the engine has no runsc, only runc',
    });
  });

  test('without seccomp is a warning where another OCI runtime may filter by itself', () => {
    expect(check({ securityOptions: [] }, { ociRuntime: 'runsc' }).seccomp).toMatchObject({ status: 'warn' });
  });

  test('says whose privileges it has', () => {
    const user = (option: string) => check({ securityOptions: [...info.securityOptions, option] })['engine’s user'];
    expect(user('name=rootless')).toMatchObject({ status: 'ok', found: 'rootless' });
    expect(user('name=userns')).toMatchObject({ status: 'ok', found: 'root, containers in a user namespace' });
  });
});

describe('versions', () => {
  test('a fault is told with what is reported, where it is fixed, and that distributions backport', () => {
    expect(check({ components: { runc: '1.1.5+ds1-1+deb12u1' } })['runc version']).toMatchObject({
      found: expect.stringMatching(
        /^reports version 1\.1\.5\+ds1-1\+deb12u1: CVE-2024-21626, fixed upstream in 1\.1\.12, lets /,
      ),
      hint: expect.stringContaining('backport'),
    });
  });

  test('a fault out of reach is told, and is no reason to warn', () => {
    expect(check({ version: '20.10.24+dfsg1' }, { preflight: 'refuse' })['engine version']).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('CVE-2026-41567'),
    });
    expect(check({ components: { runc: '1.1.5' } }, { ociRuntime: 'runsc' })['runc version']).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('another OCI runtime'),
    });
  });

  test.each([
    ['1.1.12', false],
    ['1.2.7', false],
    ['1.2.8', true],
    ['1.3.2', false],
    ['v1.3.3', true],
    ['1.4.0-rc.2', false],
    ['1.4.0-rc.3', true],
    ['1.4.0', true],
    ['1.10.0', true],
    ['2.0.0-rc.1', true],
    ['1.3.3~rc1', false],
  ])('runc %s has the fixes of 1.2.8, 1.3.3 and 1.4.0-rc.3: %s', (version, expected) => {
    const fixes = ['1.2.8', '1.3.3', '1.4.0-rc.3'].map(parseVersion) as Version[];
    expect(hasFix(parseVersion(version) as Version, fixes)).toBe(expected);
  });

  test('every advisory names versions that can be compared', () => {
    for (const { id, fixedIn } of ADVISORIES) {
      expect(id).toMatch(/^CVE-\d{4}-\d{4,}$/);
      expect(fixedIn.map(parseVersion)).not.toContain(undefined);
    }
  });
});

describe('the start', () => {
  test('tells each warning once and goes on', () => {
    const told: string[] = [];
    const log = { ...silentLogger, warn: (_fields: object | string, text?: string) => void told.push(text ?? '') };
    enforcePreflight(checkEngine({ ...info, ...limits({ swap: false }) }, options), log);
    expect(told).toEqual(['container engine: swap limit: cannot be enforced']);
  });

  test('throws on a failure, naming all of them and what to do', () => {
    const findings = checkEngine({ ...info, ...limits({ memory: false, pids: false }) }, options);
    let thrown: unknown;
    try {
      enforcePreflight(findings, silentLogger);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(NanoGridError);
    expect(thrown).toMatchObject({
      code: 'NG_ENGINE_UNSAFE',
      message: expect.stringMatching(/memory limit: cannot be enforced; process limit: cannot be enforced/),
      hint: expect.stringContaining('cgroup'),
    });
  });
});
