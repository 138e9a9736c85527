/** Compares what the engine reports of its parts with the advisories. Owns no state. */

import type { EngineInfo } from '../pool/container-engine.js';
import { ADVISORIES, type Advisory } from './advisories.js';
import { type Finding, ok, warn } from './finding.js';
import { hasFix, parseVersion, type Version } from './version.js';

/** One finding for each part that the engine names. `runsJobs`: whether jobs' containers are made by runc. */
export function checkVersions(info: EngineInfo, runsJobs: boolean, advisories = ADVISORIES): Finding[] {
  const findings: Finding[] = [];
  for (const component of ['engine', 'containerd', 'runc'] as const) {
    const reported = component === 'engine' ? info.version : info.components[component];
    if (reported === undefined) continue;
    const own = advisories.filter((advisory) => advisory.component === component);
    findings.push(check(component, reported, own, component !== 'runc' || runsJobs));
  }
  return findings;
}

function check(component: string, reported: string, advisories: readonly Advisory[], inUse: boolean): Finding {
  const name = `${component} version`;
  const version = parseVersion(reported);
  if (version === undefined) {
    return warn(name, `reports version ${JSON.stringify(reported)}`, 'Check by hand that its security fixes are in.');
  }
  const open = advisories.filter(({ fixedIn }) => !hasFix(version, fixedIn.map(parseVersion) as Version[]));
  const near = open.filter(({ outOfReach }) => inUse && outOfReach === undefined);
  const far = open.filter((advisory) => !near.includes(advisory));
  const aside = far.map(
    ({ id, fixedIn, outOfReach = 'jobs run with another OCI runtime' }) =>
      `${id} is fixed upstream in ${fixedIn.join(', ')}; ${outOfReach}`,
  );
  if (near.length === 0) return ok(name, [reported, ...aside].join('; '));
  const told = near.map(({ id, fixedIn, lets }) => `${id}, fixed upstream in ${fixedIn.join(', ')}, lets ${lets}`);
  return warn(
    name,
    `reports version ${reported}: ${told.join('; ')}`,
    'Distributions backport fixes without a new version: check your package’s changelog, or update it.',
  );
}
