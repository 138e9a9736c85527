/** What the engine says of a container, in a form that can be compared with a golden record. Owns no state. */

import type Docker from 'dockerode';

/** Facts of one moment or one machine, which say nothing about what a container may do. */
const VOLATILE = new Set(['Id', 'Created', 'State', 'Image', 'Hostname', 'GraphDriver', 'Name', 'Driver']);
/** What engines fill in by themselves and add to from version to version; `missingDefaults` looks at them. */
const ENGINE_LISTS = ['MaskedPaths', 'ReadonlyPaths'] as const;
/** What every engine masks or write-protects; a later one may do more. */
const ENGINE_MINIMUM = {
  MaskedPaths: [
    '/proc/acpi',
    '/proc/kcore',
    '/proc/keys',
    '/proc/latency_stats',
    '/proc/sched_debug',
    '/proc/scsi',
    '/proc/timer_list',
    '/sys/firmware',
  ],
  ReadonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
};

export type Inspection = Docker.ContainerInspectInfo;

/**
 * Everything that is set, as readable JSON. A field that is new, or changed, shows; one that is empty is left out, since
 * engines differ in the empty ones they list.
 */
export function postureOf(inspection: Inspection): string {
  const { HostConfig: host, ...rest } = structuredClone(inspection) as unknown as Record<string, never> & Inspection;
  for (const list of ENGINE_LISTS) delete (host as unknown as Record<string, unknown>)[list];
  host.CapAdd = [...(host.CapAdd ?? [])].map((name) => name.replace(/^CAP_/, '')).sort();
  // The limit of a bound container depends on what it held when it was bound; that nothing is swapped does not.
  if (host.Memory && host.Memory === host.MemorySwap) {
    host.Memory = host.MemorySwap = '<the same limit>' as never;
  }
  const image = inspection.Config.Image;
  const text = JSON.stringify(withoutUnset({ ...rest, HostConfig: host }), undefined, 2)
    .replaceAll(inspection.Id, '<id>')
    .replaceAll(image, image.replace(/:[0-9a-f]{12}$/, ':<digest>'))
    .replace(/nanogrid-supervisor-[0-9a-f]{12}/g, 'nanogrid-supervisor-<digest>')
    .replace(/"(nanogrid\.(?:host|process))": "[^"]+"/g, '"$1": "<worker>"')
    .replace(/"(Source|HostnamePath)": "\/[^"]*\/((?:volumes|containers)\/)/g, '"$1": "<engine>/$2')
    // Hosts with AppArmor have Docker's default profile; one that was switched off would be in SecurityOpt.
    .replace(/^ +"AppArmorProfile": "docker-default",\n/m, '');
  return `${text}\n`;
}

/** Paths that the engine is expected to mask or protect and did not. */
export function missingDefaults({ HostConfig: host }: Inspection): string[] {
  return ENGINE_LISTS.flatMap((list) => {
    const there = new Set((host as unknown as Record<string, string[] | null>)[list] ?? []);
    return ENGINE_MINIMUM[list].filter((path) => !there.has(path));
  });
}

/** Without fields that are empty, with the others in the order of their names. */
function withoutUnset(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((one) => withoutUnset(one));
  if (typeof value !== 'object' || value === null) return value;
  // A volume's name is a fact to compare; a container's is not.
  const keepsName = 'Destination' in value || key === 'RestartPolicy' || 'Soft' in value;
  const kept = Object.entries(value)
    .filter(([name]) => !VOLATILE.has(name) || (keepsName && name === 'Name'))
    .map(([name, inner]) => [name, withoutUnset(inner, name)] as const)
    .filter(([, inner]) => isSet(inner))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(kept);
}

function isSet(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(isSet);
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return value !== null && value !== '' && value !== 0 && value !== false && value !== undefined;
}
