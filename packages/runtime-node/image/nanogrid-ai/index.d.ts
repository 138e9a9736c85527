/** Calls a language model at AI_ENDPOINT, by Ollama's API or OpenAI's, and records the tokens of each call. */

export interface CallOptions {
  readonly model: string;
  /** Milliseconds for the whole call. Default 300,000. */
  readonly timeoutMs?: number;
  /** Ends the call. */
  readonly signal?: AbortSignal;
  /** Further fields of the request, as the service documents them. */
  readonly extra?: Readonly<Record<string, unknown>>;
  /** Overrules `AI_ENDPOINT`. */
  readonly endpoint?: string;
  /** Overrules `AI_API`. Default `auto`: OpenAI's where the endpoint's path ends in `/v1`, else Ollama's. */
  readonly api?: 'ollama' | 'openai' | 'auto';
  /** Overrules `AI_API_KEY`. */
  readonly apiKey?: string;
}

export interface GenerateOptions extends CallOptions {
  readonly prompt: string;
  readonly system?: string;
}

export interface ChatOptions extends CallOptions {
  readonly messages: readonly { readonly role: string; readonly content: unknown; readonly [field: string]: unknown }[];
}

/** What the model said. Tokens are 0 where the service did not tell. */
export interface Answer {
  readonly text: string;
  readonly model: string;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** The service's last JSON object. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** The pieces of an answer as they come; one loop may read them. Leaving the loop ends the call. */
export interface Stream extends AsyncIterable<string> {
  /** The whole answer, once the loop has ended by itself. */
  readonly answer: Answer | undefined;
  /** Ends the call. What was counted until now is recorded. */
  close(): void;
}

/** A call that did not give an answer; docs/ai-clients.md lists the codes. */
export class AiError extends Error {
  readonly code:
    | 'configuration'
    | 'unreachable'
    | 'timeout'
    | 'cancelled'
    | 'service'
    | 'invalid-answer'
    | 'interrupted';
  /** The service's HTTP status, for `service`. */
  readonly status: number | undefined;
}

/** Has a model go on from a prompt. */
export function generate(options: GenerateOptions & { readonly stream: true }): Promise<Stream>;
export function generate(options: GenerateOptions & { readonly stream?: false }): Promise<Answer>;
/** Has a model answer a conversation. */
export function chat(options: ChatOptions & { readonly stream: true }): Promise<Stream>;
export function chat(options: ChatOptions & { readonly stream?: false }): Promise<Answer>;
