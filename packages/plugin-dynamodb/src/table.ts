/** The way to one DynamoDB table: the client, its failures in an operator's words, and whether it can be used now. Owns the client. */

import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb';
import { awsFailureKind, type ClientOptions, clientConfig, describeAwsError } from '@nanogrid/aws-common';
import { NanoGridError, type PluginHost } from '@nanogrid/core';

export interface TableOptions extends ClientOptions {
  readonly tableName: string;
  readonly optionSource: PluginHost['optionSource'];
  /** Milliseconds, never set back. Default: the process's own. */
  readonly now?: () => number;
}

/** A function that nobody registers: asking for it tells whether the table can be read. */
const NO_FUNCTION = 'nanogrid-asks-whether-it-may-read';
/** How long an answer says that the table can be used, in milliseconds. */
const FRESH_MS = 5_000;
/** How long a look for `/health` may take, in milliseconds: less than the host waits. */
const LOOK_MS = 1_500;

export class Table {
  readonly name: string;
  readonly client: DynamoDBDocumentClient;
  readonly #options: TableOptions;
  readonly #now: () => number;
  #answeredMs = Number.NEGATIVE_INFINITY;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #failure: NanoGridError | undefined;

  constructor(options: TableOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.name = options.tableName;
    this.client = DynamoDBDocumentClient.from(new DynamoDBClient(clientConfig(options)), {
      marshallOptions: { removeUndefinedValues: true },
    });
  }

  /**
   * Has the client do something. `action` begins the sentence of an error: `Registering a function in`. Throws
   * `NG_REGISTRY_FAILED`; an error of the kind `expected` comes as it is: it is an answer.
   */
  async request<T>(
    action: string,
    work: (client: DynamoDBDocumentClient) => Promise<T>,
    expected?: string,
  ): Promise<T> {
    try {
      const answer = await work(this.client);
      this.#answered();
      return answer;
    } catch (error) {
      if (expected !== undefined && (error as Error).name === expected) {
        this.#answered();
        throw error;
      }
      this.#failure = this.#describe(action, error);
      throw this.#failure;
    }
  }

  /** Throws why the table cannot be used; asks where nothing newer is known, every five seconds at most. */
  async check(): Promise<void> {
    const now = this.#now();
    if (this.#failure === undefined && now - this.#answeredMs < FRESH_MS) return;
    if (now - this.#lookedMs >= FRESH_MS) {
      this.#lookedMs = now;
      await this.#look(AbortSignal.timeout(LOOK_MS)).catch(() => {});
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * What `nanogrid doctor` tells. Throws `NG_REGISTRY_FAILED`, but not where only the permission is missing: workers that
   * share their configuration with controllers need none.
   */
  async diagnose(signal: AbortSignal): Promise<string> {
    const { region, endpoint } = this.#options;
    const where = endpoint === undefined ? region : `${region} at ${endpoint}`;
    try {
      await this.#look(signal);
      return `can be read, in ${where}`;
    } catch (error) {
      const { message, cause } = error as NanoGridError;
      if (awsFailureKind(cause) !== 'denied') throw error;
      return `may not be read with these credentials, which only a controller needs: ${message}`;
    }
  }

  /** Idempotent. */
  close(): void {
    this.client.destroy();
  }

  async #look(signal: AbortSignal): Promise<void> {
    const command = new GetCommand({ TableName: this.name, Key: { functionId: NO_FUNCTION } });
    await this.request('Reading from', (client) => client.send(command, { abortSignal: signal }));
  }

  #answered(): void {
    this.#answeredMs = this.#now();
    this.#failure = undefined;
  }

  #describe(action: string, error: unknown): NanoGridError {
    const { region, endpoint, optionSource } = this.#options;
    const isAbort = (error as Error).name === 'AbortError';
    const slow = Object.assign(new Error('it did not answer in time'), { name: 'TimeoutError' });
    const { message, hint } = describeAwsError(isAbort ? slow : error, {
      action: `${action} the DynamoDB table ${this.name}`,
      resource: optionSource('tableName'),
      region,
      regionSource: optionSource('region'),
      endpoint,
      endpointSource: optionSource('endpoint'),
    });
    return new NanoGridError('NG_REGISTRY_FAILED', message, { cause: error, hint });
  }
}
