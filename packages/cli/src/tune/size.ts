/** A size that a function is tried at: its memory, and its share of processors. Owns no state. */

export interface Size {
  /** Limit in MiB. */
  readonly memoryMb: number;
  /** Processors, for instance 0.5; undefined is what the configuration gives a job of that memory. */
  readonly cpus: number | undefined;
}

/** Tried where none are named, as far as the configuration allows them, in MiB. */
export const USUAL_MEMORY_MB: readonly number[] = [128, 256, 512, 1_024, 2_048];

/** Every memory with every share, from small to large, each once. */
export function allSizes(memoryMb: readonly number[], cpus: readonly number[] | undefined): Size[] {
  const shares = cpus === undefined ? [undefined] : ascending(cpus);
  return ascending(memoryMb).flatMap((mib) => shares.map((share) => ({ memoryMb: mib, cpus: share })));
}

/** `256 MiB`, `256 MiB, 0.5 CPU`. */
export function nameOf({ memoryMb, cpus }: Size): string {
  return cpus === undefined ? `${memoryMb} MiB` : `${memoryMb} MiB, ${cpus} CPU`;
}

function ascending(numbers: readonly number[]): number[] {
  return [...new Set(numbers)].sort((a, b) => a - b);
}
