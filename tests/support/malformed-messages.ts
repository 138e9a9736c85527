/** Bodies that are no valid job, as queues of the field have held them, and worse. Owns no state. */

export interface Malformed {
  readonly what: string;
  readonly body: string;
  /** The id that can be read, and is answered. Without one there is nobody to answer. */
  readonly id?: string;
  /** What the answer names. */
  readonly names?: string;
}

/** Beyond what a stack of calls can hold. */
const DEEP = 10_000;

/** `id` gives a new id for each. `key` is that of code that would run. */
export function malformedMessages(id: () => string, key: string): Malformed[] {
  const camel = (names: string, change: object): Malformed => {
    const requestId = id();
    const body = JSON.stringify({ requestId, functionId: 'f', runtime: 'shell', s3Key: key, ...change });
    return { what: `${names}: ${JSON.stringify(change)}`.slice(0, 80), body, id: requestId, names };
  };
  const snake = (names: string, change: object): Malformed => {
    const jobId = id();
    const body = JSON.stringify({ job_id: jobId, function_id: 'f', runtime: 'shell', s3_key: key, ...change });
    return { what: `${names}: ${JSON.stringify(change)}`.slice(0, 80), body, id: jobId, names };
  };
  /** With a number that `JSON.stringify` does not write. */
  const raw = (names: string, number: string): Malformed => {
    const one = camel(names, { [names]: 'RAW' });
    return { ...one, what: `${names}: ${number}`, body: one.body.replace('"RAW"', number) };
  };
  const unreadable = (what: string, body: string): Malformed => ({ what, body });
  const job = { runtime: 'shell', s3Key: key };
  return [
    unreadable('a blank', ' '),
    unreadable('text', 'hello'),
    unreadable('cut short', '{"requestId":"cut-short","runtime":"shell"'),
    unreadable('two documents', '{}{}'),
    unreadable('null', 'null'),
    unreadable('a number', '1'),
    unreadable('a string', '"job"'),
    unreadable('an empty array', '[]'),
    unreadable('an array of jobs', JSON.stringify([{ requestId: 'in-array', ...job }])),
    unreadable('an empty object', '{}'),
    unreadable('no id', JSON.stringify(job)),
    unreadable('both ids', JSON.stringify({ requestId: 'both-1', job_id: 'both-2', ...job, s3_key: key })),
    ...['', '.x', '-x', 'a b', 'a/b', '../a', 'a\u0000b', 'é', 'a\nb', 'x'.repeat(129), '__proto__']
      .filter((requestId) => requestId !== '__proto__')
      .map((requestId) => unreadable(`the id ${requestId.slice(0, 20)}`, JSON.stringify({ requestId, ...job }))),
    ...[1, true, {}, [], ['a']].map((requestId) =>
      unreadable(`the id ${JSON.stringify(requestId)}`, JSON.stringify({ requestId, ...job })),
    ),
    unreadable('nested too deep', `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`),
    unreadable('an object nested too deep', `${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}`),
    unreadable('256 KiB of nothing', 'x'.repeat(256 * 1024)),
    unreadable('1 MiB of nothing', `"${'x'.repeat(1024 * 1024 - 2)}"`),
    camel('runtime', { runtime: undefined }),
    camel('s3Key', { s3Key: undefined }),
    snake('runtime', { runtime: undefined }),
    snake('s3_key', { s3_key: undefined }),
    ...[1, true, {}, [], ''].map((runtime) => camel('runtime', { runtime })),
    ...[1, {}, [], '', '/abs', 'a/../b', '../a', 'a\u0000b', 'a\u0007b', 'a\nb'].map((s3Key) =>
      camel('s3Key', { s3Key }),
    ),
    ...[1, {}, '/abs', '..'].map((s3_key) => snake('s3_key', { s3_key })),
    ...[1, {}, 'somebody-elses'].map((s3Bucket) => camel('s3Bucket', { s3Bucket })),
    snake('s3_bucket', { s3_bucket: 'somebody-elses' }),
    ...[-1, 0, 0.5, 2 ** 53, '256', true, {}, 1_000_000].map((memoryMb) => camel('memoryMb', { memoryMb })),
    ...[-1, 0, '1000', {}, 2 ** 53].map((timeoutMs) => camel('timeoutMs', { timeoutMs })),
    ...[-1, 0, '5', {}, 2 ** 53].map((timeout) => snake('timeout', { timeout })),
    ...[1, {}, '', '../x.main'].map((handler) => camel('handler', { handler })),
    ...[1, {}, 'a b', '../a'].map((functionId) => camel('functionId', { functionId })),
    raw('memoryMb', '1e999'),
    raw('timeoutMs', '9007199254740993'),
  ];
}
