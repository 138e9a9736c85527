/** Ids of jobs, which tell whose they are without a table. Owns no state. */

import { createHash, randomUUID } from 'node:crypto';

/** A new id: a tag of the owner, then a random part. Matches the contract's pattern of ids. */
export function newJobId(owner: string): string {
  return `${tagOf(owner)}-${randomUUID()}`;
}

/** Whether a job is the owner's. Ids of jobs that came to the queue by another way belong to nobody here. */
export function isOwnJob(owner: string, jobId: string): boolean {
  return jobId.startsWith(`${tagOf(owner)}-`);
}

/** 48 bits of a digest: owners are few, and a random part follows. */
function tagOf(owner: string): string {
  return createHash('sha256').update(`nanogrid:owner:${owner}`).digest('hex').slice(0, 12);
}
