/** A package registry on loopback for npm to ask: one package, and its tarball, that a test makes. Owns the server. */

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import type { PackagePin } from '../runtime/runtime.js';

export interface TestRegistry {
  readonly url: string;
  readonly pin: PackagePin;
  readonly tarball: Buffer;
  /** Paths that were asked for. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

/** The tarball of a package, and its digest. */
export async function makeTarball(name: string, files: Readonly<Record<string, string>>) {
  const stream = pack();
  const manifest = JSON.stringify({ name, version: '1.2.3', scripts: { prepack: 'exit 1', install: 'exit 1' } });
  for (const [path, text] of Object.entries({ 'package.json': manifest, ...files }))
    stream.entry({ name: `package/${path}`, mode: path.startsWith('bin/') ? 0o755 : 0o644 }, text);
  stream.finalize();
  const tarball = gzipSync(await buffer(stream as unknown as NodeJS.ReadableStream));
  const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
  return { tarball, pin: { name, version: '1.2.3', integrity } };
}

/** Serves one package. `hold`: never answers for the tarball. */
export async function startRegistry(
  name: string,
  files: Readonly<Record<string, string>>,
  { hold = false } = {},
): Promise<TestRegistry> {
  const { tarball, pin } = await makeTarball(name, files);
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (request.url?.endsWith('.tgz')) {
      if (!hold) response.end(tarball);
      return;
    }
    const { version, integrity } = pin;
    const dist = { tarball: `${url()}tarballs/made.tgz`, integrity };
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({ name, 'dist-tags': { latest: version }, versions: { [version]: { name, version, dist } } }),
    );
  });
  const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: url(),
    pin,
    tarball,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
