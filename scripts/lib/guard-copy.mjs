/** A copy of the working tree to take guards out of. Owns its folder, and what the copy's own supervisors leave in the engine. */

import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { trackedFiles } from './tracked-files.mjs';

/** What a guard used may be used by nobody once it is out: that is no fault of its removal. */
function tolerateUnused(path) {
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.replace(/("noUnused(?:Locals|Parameters)": )true/g, '$1false'));
}

export class GuardCopy {
  /** Where the copy lies. */
  root;
  /** Whether something that is compiled has changed since the last build. */
  dirty = true;
  #supervisors = new Set();

  constructor(original) {
    this.root = realpathSync(mkdtempSync(join(tmpdir(), 'nanogrid-prove-')));
    for (const file of trackedFiles(original)) {
      mkdirSync(dirname(join(this.root, file)), { recursive: true });
      copyFileSync(join(original, file), join(this.root, file));
    }
    tolerateUnused(join(this.root, 'tsconfig.base.json'));
    linkModules(original, this.root);
  }

  /** Notes the supervisor that the sources of the copy make now, so that `remove` finds it; returns its image. Needs a build. */
  async noteSupervisor() {
    const { imageTag, supervisorImage } = await this.#core();
    const tag = await imageTag(supervisorImage());
    this.#supervisors.add(tag);
    return tag;
  }

  /** Removes the folder, and images and volumes of supervisors without a guard; `keep` is the one that is in use. */
  async remove(keep) {
    try {
      const names = [...this.#supervisors].filter((tag) => tag !== keep);
      if (names.length > 0) {
        const docker = (await this.#core()).createDockerClient(undefined);
        for (const tag of names) {
          const volume = `nanogrid-supervisor-${tag.split(':').at(-1)}`;
          // Not there: the test failed before it was made.
          await docker
            .getVolume(volume)
            .remove()
            .catch(() => {});
          await docker
            .getImage(tag)
            .remove()
            .catch(() => {});
        }
      }
    } finally {
      rmSync(this.root, { recursive: true, force: true });
    }
  }

  async #core() {
    const load = (path) => import(pathToFileURL(join(this.root, 'packages/core/dist', path)).href);
    const [{ imageTag }, { supervisorImage }, { createDockerClient }] = await Promise.all([
      load('images/image-reference.js'),
      load('images/supervisor-volume.js'),
      load('pool/docker-engine.js'),
    ]);
    return { imageTag, supervisorImage, createDockerClient };
  }
}

/** The installed packages by links; those of the workspace lead into the copy. */
function linkModules(original, copy) {
  const workspaces = join(realpathSync(original), 'packages');
  const link = (from, to) => {
    const target = realpathSync(from);
    const own = target.startsWith(`${workspaces}/`) ? join(copy, 'packages', target.slice(workspaces.length)) : target;
    symlinkSync(own, to, statSync(from).isDirectory() ? 'dir' : 'file');
  };
  const from = join(original, 'node_modules');
  const to = join(copy, 'node_modules');
  mkdirSync(to);
  for (const name of readdirSync(from)) {
    if (name.startsWith('.')) continue;
    if (!name.startsWith('@')) {
      link(join(from, name), join(to, name));
      continue;
    }
    mkdirSync(join(to, name));
    for (const scoped of readdirSync(join(from, name))) link(join(from, name, scoped), join(to, name, scoped));
  }
}
