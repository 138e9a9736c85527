/** Turns the engine's stream of JSON events into progress that a person can read. A `ProgressReader` owns the counts of one build or pull. */

import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { stripVTControlCharacters } from 'node:util';

/** What is happening to an image. For `build`, `current` and `total` count steps; for `pull`, bytes. */
export interface ImageProgress {
  readonly image: string;
  /** `base`: the base image is being made from Debian's packages. `package`: npm fetches a file that the image holds. */
  readonly step: 'pull' | 'build' | 'base' | 'package';
  /** One line, without control characters. */
  readonly message: string;
  readonly current?: number;
  readonly total?: number;
}

export type ProgressListener = (progress: ImageProgress) => void;

/** One event of the engine, as far as it is read. */
export interface EngineEvent {
  readonly stream?: string;
  readonly status?: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly error?: string;
}

const MAX_LINE = 160;
/** An event of the engine is far shorter; what is longer is cut, and then is no JSON. */
const MAX_EVENT = 1024 * 1024;

/** Reads the engine's newline-separated JSON; lines that are none are passed over. Throws when the stream breaks off. */
export async function* readEngineEvents(stream: Readable): AsyncGenerator<EngineEvent> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + decoder.write(chunk as Buffer)).split('\n');
    rest = (lines.pop() ?? '').slice(0, MAX_EVENT);
    for (const line of lines) {
      const event = parseEvent(line);
      if (event !== undefined) yield event;
    }
  }
  const event = parseEvent(rest);
  if (event !== undefined) yield event;
}

/** The text on one line of at most 160 characters, without control characters. */
export function oneLine(text: string): string {
  const line = stripVTControlCharacters(text)
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim();
  return line.length > MAX_LINE ? `${line.slice(0, MAX_LINE - 1)}…` : line;
}

/** Whether a line of a build is the engine's own (` ---> 0123456789ab`), and says nothing about the build. */
export function isBookkeeping(line: string): boolean {
  return line.startsWith('--->') || line.startsWith('Removing intermediate container');
}

/** Reads the events of one build or pull in order. */
export class ProgressReader {
  readonly #image: string;
  readonly #kind: 'pull' | 'build';
  readonly #layers = new Map<string, { current: number; total: number }>();
  #step: { readonly current: number; readonly total: number } | undefined;
  /** The instruction that runs now, for instance `RUN apt-get update`. */
  instruction: string | undefined;

  constructor(image: string, kind: 'pull' | 'build') {
    this.#image = image;
    this.#kind = kind;
  }

  /** What this event says; undefined where it says nothing new. */
  read(event: EngineEvent): ImageProgress | undefined {
    if (this.#kind === 'build' && event.stream !== undefined) return this.#readBuild(event.stream);
    if (event.status !== undefined) return this.#readPull(event);
    return undefined;
  }

  #readBuild(text: string): ImageProgress | undefined {
    const step = /^Step (\d+)\/(\d+) : ([\s\S]*)$/.exec(text);
    if (step !== null) {
      this.#step = { current: Number(step[1]), total: Number(step[2]) };
      this.instruction = oneLine(step[3] ?? '');
      return this.#progress(this.instruction, this.#step);
    }
    const message = oneLine(text);
    if (message === '' || isBookkeeping(message)) return undefined;
    return this.#progress(message, this.#step);
  }

  #readPull(event: EngineEvent): ImageProgress | undefined {
    const message = oneLine(event.id === undefined ? `${event.status}` : `${event.status} ${event.id}`);
    if (event.status === 'Downloading' && event.id !== undefined) {
      const { current = 0, total = 0 } = event.progressDetail ?? {};
      this.#layers.set(event.id, { current, total });
    } else if (event.status === 'Download complete' && event.id !== undefined) {
      const layer = this.#layers.get(event.id);
      if (layer !== undefined) layer.current = layer.total;
    }
    let current = 0;
    let total = 0;
    for (const layer of this.#layers.values()) {
      current += layer.current;
      total += layer.total;
    }
    return this.#progress(message, total > 0 ? { current, total } : undefined);
  }

  #progress(message: string, count: { readonly current: number; readonly total: number } | undefined): ImageProgress {
    return { image: this.#image, step: this.#kind, message, ...count };
  }
}

function parseEvent(line: string): EngineEvent | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
