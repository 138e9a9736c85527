/** `npm run image:worker`: packs the packages and builds `nanogrid/worker` from them. Owns a temporary folder. */

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './lib/paths.mjs';
import { setUp, tellFailure } from './setup.mjs';

const TAG = process.argv[2] ?? 'nanogrid/worker:latest';

try {
  await setUp();
  const context = mkdtempSync(join(tmpdir(), 'nanogrid-image-'));
  try {
    const packed = mkdtempSync(join(tmpdir(), 'nanogrid-packed-'));
    const npm = (...args) => execFileSync('npm', args, { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
    try {
      npm('pack', '--workspaces', '--silent', '--pack-destination', packed);
      const tarballs = readdirSync(packed).map((name) => join(packed, name));
      const app = join(context, 'app');
      // Without links: a build context holds plain files.
      npm('install', '--silent', '--no-bin-links', '--omit=dev', '--omit=optional', '--prefix', app, ...tarballs);
      npm('install', '--silent', '--no-bin-links', '--no-save', '--prefix', app, `@libsql/linux-${process.arch}-gnu`);
      // Debian's Node comes without npm, which the worker asks for what images of runtimes are built with.
      npm('pack', 'npm@11', '--silent', '--pack-destination', context);
      const [tarball] = readdirSync(context).filter((name) => name.endsWith('.tgz'));
      renameSync(join(context, tarball), join(context, 'npm.tgz'));
      rmSync(join(app, 'node_modules/.package-lock.json'), { force: true });
    } finally {
      rmSync(packed, { recursive: true, force: true });
    }
    copyFileSync(join(ROOT, 'docker/worker/Dockerfile'), join(context, 'Dockerfile'));
    const { createDockerClient, ImageStore } = await import('@nanogrid/core');
    const told = new Set();
    const store = new ImageStore(createDockerClient(undefined));
    const source = { name: 'worker', image: { name: 'nanogrid/worker', context } };
    const { tag } = await store.ensure(source, {
      onProgress: ({ message, current, total }) => {
        const line = `step ${current} of ${total}`;
        if (current === undefined || told.has(line)) return;
        told.add(line);
        console.log(`${line}: ${message}`.slice(0, 120));
      },
    });
    const [repository, version] = TAG.split(':');
    await createDockerClient(undefined).getImage(tag).tag({ repo: repository, tag: version });
    console.log(`Built ${TAG}`);
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
} catch (error) {
  tellFailure(error);
  process.exitCode = 1;
}
