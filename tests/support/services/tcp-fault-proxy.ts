/** A proxy for any protocol over TCP (Redis), or to a Unix socket (the Docker engine), that can refuse, hang, cut and slow down. Owns its sockets. */

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Fault, type FaultControl, FaultSwitch, meetsAnswers, meetsRequests } from './fault.js';
import { FaultListener } from './fault-listener.js';

/** Bytes on their way, as they came: what belongs together may come in pieces. */
export interface Passage {
  readonly from: 'client' | 'server';
  /** 1 for the first connection. */
  readonly connection: number;
  readonly data: Buffer;
}

export interface TcpFaultProxy extends FaultControl<Passage> {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly close: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

const TICK_MS = 20;

export async function startTcpFaultProxy(
  target: { host: string; port: number } | { path: string },
): Promise<TcpFaultProxy> {
  const faults = new FaultSwitch<Passage>();
  let connections = 0;
  /** The fault that holds for everything, where it does. */
  let standing: Fault | undefined;

  const server = createServer({ noDelay: true, allowHalfOpen: false }, (client) => {
    const connection = ++connections;
    const upstream = connect({ ...target, noDelay: true });
    // Bytes of the answers since the fault began.
    let since = { fault: standing, bytes: 0 };
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      socket.on('error', end);
      socket.on('close', end);
    }
    /** Waits until it hangs no more. */
    const outlast = async (hang: Hang | undefined, held: (fault: Fault | undefined) => Hang | undefined) => {
      for (let now = hang; now !== undefined && !client.destroyed; now = held(standing))
        await faults.changed(now.forMs);
    };
    relay(client, async (data) => {
      const fault = faults.pick({ from: 'client', connection, data }, meetsRequests);
      if (fault?.kind === 'refuse') return void client.resetAndDestroy();
      await outlast(hangOf(fault), (now) => (now && meetsRequests(now) ? hangOf(now) : undefined));
      await write(upstream, data);
    });
    relay(upstream, async (data) => {
      const fault = faults.pick({ from: 'server', connection, data }, meetsAnswers);
      await outlast(hangOf(fault), hangOf);
      if (fault !== since.fault) since = { fault, bytes: 0 };
      if (fault?.kind === 'cut') {
        const left = (fault.afterBytes ?? 0) - since.bytes;
        if (left < data.length) {
          if (left > 0) await write(client, data.subarray(0, left));
          return end();
        }
      }
      since.bytes += data.length;
      if (fault === undefined) faults.counts.passed++;
      if (fault?.kind === 'slow') return trickle(client, data, fault.bytesPerSecond, faults);
      await write(client, data);
    });
  });
  const listener = new FaultListener(server);
  await listener.open();

  async function clear(): Promise<void> {
    standing = undefined;
    faults.clear();
    await listener.open();
  }

  return {
    host: '127.0.0.1',
    port: listener.port,
    counts: () => ({ ...faults.counts }),
    async fail(fault) {
      standing = typeof fault === 'function' ? undefined : fault;
      const hit = faults.set(fault);
      if (standing?.kind === 'refuse') await listener.shut();
      else await listener.open();
      return { hit };
    },
    clear,
    close: () => listener.shut(),
    [Symbol.asyncDispose]: () => listener.shut(),
  };
}

type Hang = Extract<Fault, { kind: 'hang' }>;

const hangOf = (fault: Fault | undefined) => (fault?.kind === 'hang' ? fault : undefined);

/** Gives each chunk to `forward`, one after the other; no more is read meanwhile. */
function relay(from: Socket, forward: (chunk: Buffer) => Promise<void>): void {
  from.on('data', (chunk: Buffer) => {
    from.pause();
    forward(chunk)
      .then(() => from.resume())
      .catch(() => from.destroy());
  });
}

async function write(to: Socket, chunk: Buffer): Promise<void> {
  if (to.destroyed || to.write(chunk)) return;
  await Promise.race([once(to, 'drain'), once(to, 'close')]);
}

async function trickle(to: Socket, chunk: Buffer, bytesPerSecond: number, faults: FaultSwitch<Passage>): Promise<void> {
  let changed = false;
  void faults.changed().then(() => {
    changed = true;
  });
  const begun = performance.now();
  for (let sent = 0; sent < chunk.length && !to.destroyed; ) {
    const due = changed ? chunk.length : Math.floor(((performance.now() - begun) * bytesPerSecond) / 1000);
    if (due > sent) await write(to, chunk.subarray(sent, due));
    sent = Math.max(sent, Math.min(due, chunk.length));
    if (sent < chunk.length) await sleep(TICK_MS);
  }
}
