/** Known security faults of the engine and its parts that were fixed upstream, as data. Owns no state. */

export interface Advisory {
  readonly id: string;
  /** Part of the engine, as `EngineInfo.components` names it. */
  readonly component: 'engine' | 'containerd' | 'runc';
  /** First fixed version of each maintained line; older lines never got a fix upstream. */
  readonly fixedIn: readonly string[];
  /** What it allows, to end the sentence "lets …". */
  readonly lets: string;
  /** Why NanoGrid is out of its reach; such an advisory is told, and is no reason to warn. */
  readonly outOfReach?: string;
}

export const ADVISORIES: readonly Advisory[] = [
  {
    id: 'CVE-2024-21626',
    component: 'runc',
    fixedIn: ['1.1.12'],
    lets: 'an image or a process reach the host’s files through a leaked descriptor',
  },
  {
    id: 'CVE-2025-31133',
    component: 'runc',
    fixedIn: ['1.2.8', '1.3.3', '1.4.0-rc.3'],
    lets: 'an image get around masked paths',
  },
  {
    id: 'CVE-2025-52565',
    component: 'runc',
    fixedIn: ['1.2.8', '1.3.3', '1.4.0-rc.3'],
    lets: 'an image misuse the mount of /dev/console',
  },
  {
    id: 'CVE-2025-52881',
    component: 'runc',
    fixedIn: ['1.2.8', '1.3.3', '1.4.0-rc.3'],
    lets: 'a container redirect writes to /proc',
  },
  {
    id: 'CVE-2024-25621',
    component: 'containerd',
    fixedIn: ['1.7.29', '2.0.7', '2.1.5', '2.2.0'],
    lets: 'local users of the host into containerd’s folders',
  },
  {
    id: 'CVE-2026-41567',
    component: 'engine',
    fixedIn: ['29.5.1'],
    lets: 'an image run a program as the host’s root when a compressed archive is uploaded',
    outOfReach: 'NanoGrid uploads no archives',
  },
];
