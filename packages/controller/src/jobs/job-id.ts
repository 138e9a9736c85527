/** Ids of jobs, which tell whose they are without a table. Owns no state. */

import { createHash, randomUUID } from 'node:crypto';
import type { Caller } from '../auth/key-ring.js';

/** A new id: a tag of the owner, then a random part. Matches the contract's pattern of ids. */
export function newJobId({ jobTag }: Pick<Caller, 'jobTag'>): string {
  return `${jobTag}-${randomUUID()}`;
}

/** Whether a job is the caller's. Ids of jobs that came to the queue by another way belong to nobody here. */
export function isOwnJob({ jobTag }: Pick<Caller, 'jobTag'>, jobId: string): boolean {
  return jobId.startsWith(`${jobTag}-`);
}

/** What the ids of an owner's jobs begin with. 48 bits of a digest: owners are few, and a random part follows. */
export function jobTagOf(owner: string): string {
  return createHash('sha256').update(`nanogrid:owner:${owner}`).digest('hex').slice(0, 12);
}
