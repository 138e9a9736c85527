/**
 * The shorter way to a container's supervisor, where the engine is on this host and this process may look into the
 * container: the socket that the supervisor offers in HELLO, and takes back before any code comes. Owns no state.
 */

import { connect, type Socket } from 'node:net';
import { Field } from '../exec/protocol.js';
import { memoryGroup } from './memory-group.js';

/** `supervisor/supervisor.h` has the same. */
const SOCKET_PREFIX = '/nanogrid/state/direct-';
/** A local socket answers at once, or not at all. */
const CONNECT_TIMEOUT_MS = 1_000;

/**
 * Connects to the supervisor that said `hello`; undefined where that cannot be. Its process must be in a cgroup of that
 * container: with a remote engine the process of that id is somebody else's.
 */
export async function connectDirectly(
  hostPid: number,
  containerId: string,
  hello: ReadonlyMap<number, number>,
): Promise<Socket | undefined> {
  const name = hello.get(Field.DIRECT);
  if (name === undefined || memoryGroup(hostPid, containerId) === undefined) return undefined;
  const path = `/proc/${hostPid}/root${SOCKET_PREFIX}${name.toString(16).padStart(12, '0')}`;
  return new Promise((resolve) => {
    const socket = connect({ path });
    const giveUp = () => {
      socket.destroy();
      resolve(undefined);
    };
    const timer = setTimeout(giveUp, CONNECT_TIMEOUT_MS);
    // Also later: errors of the stream show as its end; without a listener they would end the worker.
    socket.on('error', giveUp);
    socket.once('close', () => clearTimeout(timer));
    socket.once('connect', () => {
      clearTimeout(timer);
      resolve(socket);
    });
  });
}
