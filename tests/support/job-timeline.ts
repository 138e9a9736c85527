/** What the logs of a fleet's workers say of one job, from when it was asked for. Owns no state. */

interface LogLine {
  /** Unix milliseconds, or as text. */
  readonly time: number | string;
  readonly msg: string;
  readonly jobId?: string;
  readonly attempt?: number;
  readonly phases?: Readonly<Record<string, number | string>>;
}

/**
 * A line for each thing that was logged of the job (level `info`), in order.
 *
 * @param logs by a name of the process; of those that are gone, too
 * @param askedAt Unix milliseconds
 */
export function jobTimeline(jobId: string, askedAt: number, logs: ReadonlyMap<string, string>): string[] {
  const found: { readonly at: number; readonly text: string }[] = [];
  for (const [name, log] of logs) {
    for (const line of log.split('\n')) {
      if (!line.includes(jobId)) continue;
      const entry = parse(line);
      if (entry?.jobId !== jobId) continue;
      const at = new Date(entry.time).getTime() - askedAt;
      const attempt = entry.attempt === undefined ? '' : `, delivery ${entry.attempt}`;
      const phases = entry.phases === undefined ? '' : `, ${longPhases(entry.phases)}`;
      found.push({ at, text: `${seconds(at)}: ${name}: ${entry.msg}${attempt}${phases}` });
    }
  }
  return found.sort((a, b) => a.at - b.at).map(({ text }) => text);
}

/** In seconds, to one place. */
export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

/** Those of a second or more: what the job waited for. */
function longPhases(phases: Readonly<Record<string, number | string>>): string {
  const long = Object.entries(phases).filter(([, ms]) => typeof ms === 'number' && ms >= 1_000);
  return long.map(([phase, ms]) => `${phase} ${seconds(Number(ms))}`).join(', ') || 'no long phase';
}

/** Undefined for what is no line of a log: a process that is killed may leave half of one. */
function parse(line: string): LogLine | undefined {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return undefined;
  }
}
