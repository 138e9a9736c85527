/** A proxy for AWS services that can have any fault for the requests that are chosen. Owns its sockets. */

import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Fault, type FaultControl, FaultSwitch, meetsAnswers, meetsRequests } from './fault.js';
import { FaultListener } from './fault-listener.js';

/** A request that came to the proxy. */
export interface ProxiedRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** As SQS, DynamoDB and CloudWatch name it, for instance `ReceiveMessage`; undefined for S3. */
  readonly operation: string | undefined;
  /** Size of the server's answer, 0 where it does not say; undefined while it has not been asked. A fault is chosen for both. */
  readonly answerBytes: number | undefined;
}

export interface HttpFaultProxy extends FaultControl<ProxiedRequest> {
  /** `http://127.0.0.1:…` */
  readonly endpoint: string;
  readonly port: number;
  readonly close: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

const TICK_MS = 20;

/** `target` is the service's URL. */
export async function startHttpFaultProxy(target: string): Promise<HttpFaultProxy> {
  const { hostname, port } = new URL(target);
  const agent = new Agent({ keepAlive: true });
  const faults = new FaultSwitch<ProxiedRequest>();

  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }, (incoming, outgoing) => {
    const { method = 'GET', url: path = '/', headers } = incoming;
    const operation = String(headers['x-amz-target'] ?? '').split('.')[1];
    const asked = { method, path, operation, answerBytes: undefined };
    const fault = faults.pick(asked, meetsRequests);
    if (fault?.kind === 'refuse') return void incoming.socket.resetAndDestroy();
    if (fault?.kind === 'hang') return hang(outgoing, fault.forMs);
    if (fault?.kind === 'error') {
      // Answered once it is asked in full, as servers do.
      incoming.resume().once('end', () => answerError(outgoing, asked, fault));
      return;
    }
    const { expect: _answeredHere, ...rest } = headers;
    const onward = request({ agent, hostname, port, method, path, headers: rest }, (answer) => {
      const answerBytes = Number(answer.headers['content-length'] ?? 0);
      const late = faults.pick({ ...asked, answerBytes }, meetsAnswers);
      if (late === undefined) faults.counts.passed++;
      if (late?.kind === 'hang') {
        answer.resume();
        return hang(outgoing, late.forMs);
      }
      pass(answer, outgoing, late).catch(() => outgoing.destroy());
    });
    onward.on('error', () => incoming.socket.resetAndDestroy());
    outgoing.on('close', () => {
      if (!outgoing.writableFinished) onward.destroy();
    });
    incoming.pipe(onward);
  });

  function hang(outgoing: ServerResponse, forMs: number | undefined): void {
    void faults.changed(forMs).then(() => outgoing.socket?.resetAndDestroy());
  }

  async function pass(answer: IncomingMessage, outgoing: ServerResponse, fault: Fault | undefined): Promise<void> {
    if (fault?.kind === 'cut' && (fault.afterBytes ?? 0) === 0) {
      answer.resume();
      return void outgoing.socket?.resetAndDestroy();
    }
    outgoing.writeHead(answer.statusCode ?? 500, answer.statusMessage, answer.headers);
    outgoing.flushHeaders();
    if (fault?.kind === 'cut') return cut(answer, outgoing, fault.afterBytes ?? 0);
    if (fault?.kind === 'slow') return trickle(answer, outgoing, fault.bytesPerSecond, faults);
    answer.on('error', () => outgoing.destroy());
    answer.pipe(outgoing);
  }

  const listener = new FaultListener(server);
  await listener.open();

  const close = async () => {
    await listener.shut();
    agent.destroy();
  };
  return {
    endpoint: `http://127.0.0.1:${listener.port}`,
    port: listener.port,
    counts: () => ({ ...faults.counts }),
    async fail(fault) {
      const hit = faults.set(fault);
      if (typeof fault !== 'function' && fault.kind === 'refuse') await listener.shut();
      else await listener.open();
      return { hit };
    },
    async clear() {
      faults.clear();
      await listener.open();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function cut(answer: IncomingMessage, outgoing: ServerResponse, afterBytes: number): Promise<void> {
  let left = afterBytes;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    outgoing.write(chunk.subarray(0, left));
    left -= chunk.length;
    if (left <= 0) break;
  }
  // What was written goes out first.
  outgoing.socket?.destroySoon();
}

async function trickle(
  answer: IncomingMessage,
  outgoing: ServerResponse,
  bytesPerSecond: number,
  faults: FaultSwitch<ProxiedRequest>,
): Promise<void> {
  let changed = false;
  void faults.changed().then(() => {
    changed = true;
  });
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    const begun = performance.now();
    for (let sent = 0; sent < chunk.length && !outgoing.destroyed; ) {
      const due = changed ? chunk.length : Math.floor(((performance.now() - begun) * bytesPerSecond) / 1000);
      if (due > sent) await write(outgoing, chunk.subarray(sent, due));
      sent = Math.max(sent, Math.min(due, chunk.length));
      if (sent < chunk.length) await sleep(TICK_MS);
    }
    // Whoever asked is gone; the rest is not read, and its connection must not stay either.
    if (outgoing.destroyed) return void answer.destroy();
  }
  outgoing.end();
}

async function write(to: ServerResponse, chunk: Buffer): Promise<void> {
  if (to.write(chunk) || to.destroyed) return;
  await Promise.race([once(to, 'drain'), once(to, 'close')]);
}

/** S3 answers in XML, and to HEAD with nothing; the others in JSON. */
function answerError(
  outgoing: ServerResponse,
  { method, operation }: ProxiedRequest,
  { status, code, message = 'injected by the fault proxy' }: Extract<Fault, { kind: 'error' }>,
): void {
  if (operation === undefined) {
    outgoing.writeHead(status, { 'content-type': 'application/xml' });
    const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
    outgoing.end(method === 'HEAD' ? undefined : body);
    return;
  }
  outgoing.writeHead(status, { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-errortype': code });
  outgoing.end(JSON.stringify({ __type: code, message }));
}
