/**
 * The way to the outside of containers that were granted it: the engine's network that they are on, and the policy that
 * each is held to. Owns what is known of the host's addresses, which may change while the worker lives.
 */

import { networkInterfaces } from 'node:os';
import type { CoreConfig } from '../config/core-config.js';
import { NanoGridError } from '../errors.js';
import type { ContainerEngine, ContainerNetwork, HostNetworkSpec } from '../pool/container-engine.js';
import { type EgressPolicy, egressPolicy } from './egress-policy.js';

/** Host addresses that were read so long ago are read again, in milliseconds. */
const ADDRESSES_FRESH_MS = 30_000;

/** Replies of the gateway are taken although no route leads to it as a destination. */
const SYSCTLS = { 'net.ipv4.conf.all.rp_filter': '0', 'net.ipv4.conf.default.rp_filter': '0' } as const;

export interface EgressOptions {
  readonly engine: ContainerEngine;
  readonly settings: CoreConfig['network'];
  /** The container that prints the host's addresses. */
  addressesSpec(): HostNetworkSpec;
  /** Monotonic milliseconds. */
  now(): number;
}

export interface EgressGrant {
  readonly network: ContainerNetwork;
  readonly policy: EgressPolicy;
}

export class Egress {
  readonly #options: EgressOptions;
  #addresses: { readonly found: Promise<readonly string[]>; readonly at: number } | undefined;

  constructor(options: EgressOptions) {
    this.#options = options;
  }

  /** What a container that is to be made now gets. Throws `NG_NETWORK_UNSAFE` where the host's addresses are not known. */
  async grant(): Promise<EgressGrant> {
    const { engine, settings } = this.#options;
    const [hostAddresses] = await Promise.all([this.#hostAddresses(), engine.ensureNetwork(settings.name)]);
    return {
      network: { name: settings.name, dns: settings.dns, sysctls: SYSCTLS },
      policy: egressPolicy({ ...settings, hostAddresses }),
    };
  }

  #hostAddresses(): Promise<readonly string[]> {
    const now = this.#options.now();
    if (!this.#addresses || now - this.#addresses.at > ADDRESSES_FRESH_MS) {
      const found = this.#readAddresses();
      this.#addresses = { found, at: now };
      found.catch(() => {
        this.#addresses = undefined;
      });
    }
    return this.#addresses.found;
  }

  /** Those of the engine's host, which may be another machine, and those of this one. */
  async #readAddresses(): Promise<readonly string[]> {
    const { engine, addressesSpec } = this.#options;
    const output = await engine.runOnHostNetwork(addressesSpec());
    const lines = output.split('\n').filter((line) => /^\d+\.\d+\.\d+\.\d+$/.test(line));
    if (lines.length === 0) throw new NanoGridError('NG_NETWORK_UNSAFE', 'the addresses of the host cannot be read');
    const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
    return [...lines, ...own.filter(({ family }) => family === 'IPv4').map(({ address }) => address)];
  }
}
