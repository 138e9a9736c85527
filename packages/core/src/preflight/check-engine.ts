/** Whether a container engine can hold the sandbox, from what it says of itself. Owns no state. */

import type { EngineInfo } from '../pool/container-engine.js';
import { checkVersions } from './check-versions.js';
import { type Finding, fail, ok, warn } from './finding.js';
import { compareVersions, parseVersion, type Version } from './version.js';

/** API of Docker 20.10, the oldest engine that is tried. */
const MINIMUM_API: Version = [1, 41, 0, Infinity];
const CONTROLLERS =
  'Enable the cgroup controllers "memory", "pids" and "cpu" in the kernel (cgroup_enable=memory), or use cgroup v2.';

export interface PreflightOptions {
  /** `refuse` turns every warning into a failure. */
  readonly preflight: 'warn' | 'refuse';
  /** OCI runtime that jobs' containers are to use; undefined for the engine's own. */
  readonly ociRuntime: string | undefined;
}

/** All findings about an engine. What the sandbox does not hold without is `fail` under either policy. */
export function checkEngine(info: EngineInfo, { preflight, ociRuntime }: PreflightOptions): Finding[] {
  const runtime = ociRuntime ?? info.defaultRuntime;
  const findings = [
    checkApi(info),
    ...checkVersions(info, runtime === undefined || runtime.includes('runc')),
    checkCgroups(info),
    limit('memory limit', info.limits.memory),
    checkSwap(info),
    limit('process limit', info.limits.pids),
    limit('CPU limit', info.limits.cpus),
    checkSeccomp(info, ociRuntime),
    checkRuntime(info, ociRuntime),
    checkPrivileges(info),
    checkAccess(info),
  ];
  return findings.map((finding) =>
    preflight === 'refuse' && finding.status === 'warn' ? { ...finding, status: 'fail' } : finding,
  );
}

function checkApi({ version, apiVersion }: EngineInfo): Finding {
  const api = parseVersion(apiVersion);
  return api !== undefined && compareVersions(api, MINIMUM_API) >= 0
    ? ok('Docker', `engine ${version}, API ${apiVersion}`)
    : fail('Docker', `engine ${version} with API ${apiVersion} is too old`, 'Install Docker 20.10 or newer.');
}

function checkCgroups({ os, cgroupVersion }: EngineInfo): Finding {
  return os === 'linux'
    ? ok('cgroups', `version ${cgroupVersion ?? '1'}`)
    : fail('cgroups', `the engine runs ${os} containers`, 'Switch the engine to Linux containers.');
}

function limit(name: string, enforced: boolean | undefined): Finding {
  if (enforced === undefined) return warn(name, 'the engine does not say whether it is enforced', CONTROLLERS);
  return enforced ? ok(name, 'enforced') : fail(name, 'cannot be enforced', CONTROLLERS);
}

/** Swap beyond the memory limit costs the neighbours disk, not the sandbox; a machine without swap has nothing to limit. */
function checkSwap({ limits: { swap } }: EngineInfo): Finding {
  const hint = 'Turn swap off, or boot with swapaccount=1.';
  if (swap === true) return ok('swap limit', 'enforced');
  const found = swap === false ? 'cannot be enforced' : 'the engine does not say whether it is enforced';
  return warn('swap limit', found, hint);
}

/** With another OCI runtime the filter may be its own kernel; what a container then reports of itself decides. */
function checkSeccomp({ securityOptions }: EngineInfo, ociRuntime: string | undefined): Finding {
  const option = securityOptions.find((entry) => /(?:^|=)seccomp\b/.test(entry));
  const unconfined = option?.includes('unconfined') ?? false;
  if (option !== undefined && !unconfined) return ok('seccomp', option.replace('name=seccomp,', ''));
  const found = unconfined ? 'is off by default in this engine' : 'the engine does not filter system calls';
  const hint = 'Use a kernel and an engine with seccomp, and its default profile.';
  return ociRuntime === undefined ? fail('seccomp', found, hint) : warn('seccomp', found, hint);
}

function checkRuntime({ runtimes, defaultRuntime }: EngineInfo, ociRuntime: string | undefined): Finding {
  if (ociRuntime === undefined)
    return ok('OCI runtime', `the engine’s own${defaultRuntime ? `, ${defaultRuntime}` : ''}`);
  if (runtimes.includes(ociRuntime)) return ok('OCI runtime', ociRuntime);
  return fail(
    'OCI runtime',
    `the engine has no ${ociRuntime}, only ${runtimes.join(', ') || 'its own'}`,
    `Install ${ociRuntime} and name it under "runtimes" in the engine’s daemon.json, or change "sandbox.ociRuntime".`,
  );
}

function checkPrivileges({ securityOptions }: EngineInfo): Finding {
  const has = (name: string) => securityOptions.some((entry) => entry === name || entry.startsWith(`name=${name}`));
  if (has('rootless')) return ok('engine’s user', 'rootless');
  return ok('engine’s user', has('userns') ? 'root, containers in a user namespace' : 'root');
}

/** Who reaches the engine's API is root on its host. */
function checkAccess({ warnings }: EngineInfo): Finding {
  const open = warnings.find((warning) => /API is accessible/i.test(warning));
  if (open === undefined) return ok('engine’s access', 'no open API reported');
  return warn('engine’s access', open.replace(/^WARNING:\s*/i, '').split('\n')[0] ?? '', 'Protect the API with TLS.');
}
