/** Compares what a container's first process sees of its confinement with what was asked for. Owns no state. */

import { NanoGridError } from '../errors.js';
import { Field } from '../exec/protocol.js';
import type { ContainerSpec } from '../pool/container-engine.js';

/** Numbers of the capabilities that a container may be given (linux/capability.h). */
const CAPABILITY_BITS: Readonly<Record<string, number>> = { KILL: 5, SETGID: 6, SETUID: 7, NET_ADMIN: 12 };
const FILTERED = 2;

/** What is asked of a container, as far as it can be seen from inside. */
export type AskedPosture = Pick<ContainerSpec, 'memoryBytes' | 'pids' | 'capabilities' | 'ociRuntime'>;

/**
 * Throws `NG_ENGINE_UNSAFE` unless the container is confined exactly as asked; what it could not read counts as missing.
 * A container with a kernel of its own (gVisor), which only an `ociRuntime` that was asked for can give, has no filter
 * and no process limit that could be seen inside: its kernel is the filter, and the limit is the host's.
 */
export function checkPosture(hello: ReadonlyMap<number, number>, asked: AskedPosture): void {
  const ownKernel = asked.ociRuntime !== undefined && hello.get(Field.OWN_KERNEL) === 1;
  const capabilities = asked.capabilities.reduce((mask, name) => mask + 2 ** (CAPABILITY_BITS[name] ?? Number.NaN), 0);
  const problems: string[] = [];
  const expect = (what: string, field: number, wanted: number) => {
    const found = hello.get(field);
    if (found !== wanted) problems.push(`${what} is ${found ?? 'not to be seen'} instead of ${wanted}`);
  };
  if (!ownKernel) {
    expect('no_new_privs', Field.NO_NEW_PRIVS, 1);
    expect('seccomp', Field.SECCOMP, FILTERED);
    expect('the process limit', Field.PIDS_LIMIT, asked.pids);
  }
  expect('the mask of effective capabilities', Field.CAP_EFFECTIVE, capabilities);
  expect('the mask of bounding capabilities', Field.CAP_BOUNDING, capabilities);
  expect('the read-only root', Field.READ_ONLY_ROOT, 1);
  expect('the memory limit', Field.MEMORY_LIMIT, asked.memoryBytes);
  if (problems.length === 0) return;
  throw new NanoGridError('NG_ENGINE_UNSAFE', `The container is not confined as asked: ${problems.join('; ')}`, {
    hint: 'The engine or its OCI runtime did not apply the sandbox; `nanogrid doctor` tells what it can enforce.',
  });
}
