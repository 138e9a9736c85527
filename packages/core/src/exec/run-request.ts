/** One job as the supervisor is asked to run it: the RUN frame. */

import type { ExecSpec } from './exec-spec.js';
import { Field, Frame, FrameWriter } from './protocol.js';

/** Caps of what is collected from `/output`. */
export interface OutputCaps {
  readonly maxBytes: number;
  readonly maxFiles: number;
  readonly maxDepth: number;
}

/** How a handler's process is kept for the next job. Without it the job gets a fresh process, which ends with it. */
export interface KeepRequest {
  /** It is not kept after this job. */
  readonly last: boolean;
  /** The one that is kept is not used. */
  readonly fresh: boolean;
}

/** Largest file of the working directory that is read; what is longer is cut. */
export const MAX_WORK_FILE_BYTES = 16 << 20;

export interface RunRequest {
  readonly spec: ExecSpec;
  readonly outputCaps: OutputCaps;
  readonly maxResultBytes: number;
  /** Whether the job may reach the LLM service by way of the worker. */
  readonly relay: boolean;
  readonly keep?: KeepRequest | undefined;
}

/** Throws `RangeError` where the request does not fit a frame. */
export function encodeRun({ spec, outputCaps, maxResultBytes, relay, keep }: RunRequest): Buffer {
  const writer = new FrameWriter();
  if (spec.command) for (const argument of spec.command) writer.bytes(Field.ARG, argument);
  // For the handler's context.
  else writer.bytes(Field.ENV, `NANOGRID_MEMORY_MB=${spec.memoryMb}`);
  for (const [name, value] of Object.entries(spec.env)) writer.bytes(Field.ENV, `${name}=${value}`);
  writer
    .bytes(Field.ENTRYPOINT, spec.entrypoint)
    .bytes(Field.HANDLER, spec.handler ?? '')
    .bytes(Field.INPUT, spec.input)
    .number(Field.TIMEOUT_MS, spec.timeoutMs)
    .number(Field.GRACE_MS, spec.graceMs)
    .number(Field.MAX_STDOUT, spec.maxStdoutBytes)
    .number(Field.MAX_STDERR, spec.maxStderrBytes)
    .number(Field.MAX_RESULT, maxResultBytes)
    .number(Field.MAX_OUTPUT_BYTES, outputCaps.maxBytes)
    .number(Field.MAX_OUTPUT_FILES, outputCaps.maxFiles)
    .number(Field.MAX_OUTPUT_DEPTH, outputCaps.maxDepth);
  if (relay) writer.number(Field.RELAY, 1);
  if (keep) writer.number(Field.KEEP, keep.last ? 0 : 1);
  if (keep?.fresh) writer.number(Field.FRESH, 1);
  if (spec.retryMemoryMb !== undefined) writer.number(Field.RETRIED, 1);
  for (const file of spec.workFiles) {
    const cap = Buffer.alloc(8);
    cap.writeBigUInt64LE(BigInt(Math.min(file.maxBytes, MAX_WORK_FILE_BYTES)));
    writer.bytes(Field.WORK_FILE, Buffer.concat([cap, Buffer.from(file.path)]));
  }
  return writer.frame(Frame.RUN);
}
