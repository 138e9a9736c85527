/**
 * An outside for tests: a container with a public address (TEST-NET-3 of RFC 5737, which nobody has), reached from the
 * engine's host by a wire of its own, that answers each TCP connection to port 7 with the address it came from.
 * Owns the wire and the container; `close` removes both.
 */

import { fileURLToPath } from 'node:url';
import { createDockerClient, ImageStore } from '@nanogrid/core';
import type Docker from 'dockerode';

const ANSWER = `
use strict; use IO::Socket::INET;
my $s = IO::Socket::INET->new(LocalPort => 7, Listen => 16, ReuseAddr => 1) or die "listen: $!";
while (my $c = $s->accept) { print $c "outside\\n"; close $c }`;

export interface Outside {
  readonly address: string;
  close(): Promise<void>;
}

export async function startOutside(): Promise<Outside> {
  const docker = createDockerClient(undefined);
  const context = fileURLToPath(new URL('./outside/', import.meta.url));
  const source = { name: 'outside', image: { name: 'nanogrid-test/outside', context } };
  const { tag } = await new ImageStore(docker).ensure(source);
  // Several runs may share one machine: each has a pair of addresses of its own.
  const pair = 4 * (process.pid % 60);
  const [host, address] = [`203.0.113.${pair + 1}`, `203.0.113.${pair + 2}`];
  const [near, far] = [`ngo${process.pid}a`, `ngo${process.pid}b`];

  const container = await docker.createContainer({
    Image: tag,
    Cmd: ['perl', '-e', ANSWER],
    Labels: { 'nanogrid.test': 'outside' },
    HostConfig: { NetworkMode: 'none', AutoRemove: true },
  });
  try {
    await container.start();
    const { State } = await container.inspect();
    await ip(docker, tag, { NetworkMode: 'host', PidMode: 'host' }, [
      `link add ${near} type veth peer name ${far}`,
      `link set ${far} netns ${State.Pid}`,
      `addr add ${host}/30 dev ${near}`,
      `link set ${near} up`,
    ]);
    await ip(docker, tag, { NetworkMode: `container:${container.id}` }, [
      `addr add ${address}/30 dev ${far}`,
      `link set ${far} up`,
      `route add default via ${host}`,
    ]);
  } catch (error) {
    await container.remove({ force: true });
    throw error;
  }
  // With the container its end of the wire goes, and with that the other one.
  return { address, close: async () => void (await container.remove({ force: true })) };
}

async function ip(docker: Docker, image: string, where: Docker.HostConfig, commands: readonly string[]): Promise<void> {
  const container = await docker.createContainer({
    Image: image,
    Cmd: ['sh', '-ec', commands.map((command) => `ip ${command}`).join('\n')],
    Labels: { 'nanogrid.test': 'outside' },
    HostConfig: { ...where, CapAdd: ['NET_ADMIN', 'SYS_ADMIN', 'SYS_PTRACE'] },
  });
  try {
    await container.start();
    const { StatusCode } = await container.wait();
    if (StatusCode === 0) return;
    throw new Error(`ip: ${(await container.logs({ stderr: true })).toString('utf8')}`);
  } finally {
    await container.remove({ force: true });
  }
}
