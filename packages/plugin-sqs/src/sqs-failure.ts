/** A request to SQS that failed, in words for an operator, and what the rest of the package has to tell apart. Owns no state. */

import { type AwsFailureContext, type AwsFailureKind, describeAwsError } from '@nanogrid/aws-common';
import { NanoGridError } from '@nanogrid/core';

/** `NG_QUEUE_FAILED`, with the kind of failure. */
export class SqsFailure extends NanoGridError {
  /** `receipt`: the message is no longer this receiver's. */
  readonly kind: AwsFailureKind | 'receipt';

  constructor(kind: AwsFailureKind | 'receipt', message: string, options: { cause?: unknown; hint?: string }) {
    super('NG_QUEUE_FAILED', message, options);
    this.kind = kind;
  }
}

/** One entry of a batch that SQS refused. */
interface FailedEntry {
  readonly Code?: string | undefined;
  readonly Message?: string | undefined;
}

/** What the SDK threw. */
export function sqsFailure(error: unknown, context: AwsFailureContext): SqsFailure {
  const { kind, message, hint } = describeAwsError(error, context);
  return new SqsFailure(isReceiptError(error) ? 'receipt' : kind, message, { cause: error, hint });
}

/** One entry of a batch that failed while others may not have. */
export function entryFailure({ Code = 'unknown', Message = '' }: FailedEntry, context: AwsFailureContext): SqsFailure {
  return sqsFailure(Object.assign(new Error(Message || Code), { name: Code }), context);
}

/**
 * Whether a receipt handle is refused: it is too old, the message is deleted, or it is visible again. The codes are
 * those of both of SQS's protocols; an expired handle is told only in the sentence.
 */
function isReceiptError(error: unknown): boolean {
  const { name = '', message = '' } = error as Partial<Error>;
  if (/ReceiptHandleIsInvalid|MessageNotInflight|InvalidIdFormat/.test(name)) return true;
  return /InvalidParameterValue/.test(name) && /receipt ?handle|not available for visibility/i.test(message);
}
