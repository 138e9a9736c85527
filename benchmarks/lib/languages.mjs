/** The languages of packages that may not be installed, and what else a row may need. Owns no state. */

import { tmpdir } from 'node:os';
import { loadConfig } from '@nanogrid/core';

const PACKAGES = { node: '@nanogrid/runtime-node', cpp: '@nanogrid/runtime-cpp', go: '@nanogrid/runtime-go' };

/** @typedef {{ runtimes: Record<string, import('@nanogrid/core').Runtime>, reuse: boolean, missing: string[] }} Languages */

/**
 * The runtimes that are here, by name, and why the others are not.
 *
 * @returns {Promise<Languages>}
 */
export async function loadLanguages() {
  const languages = { runtimes: {}, reuse: false, missing: [] };
  for (const [name, packageName] of Object.entries(PACKAGES)) {
    try {
      const { default: factory } = await import(packageName);
      languages.runtimes[name] = factory();
    } catch (error) {
      languages.missing.push(`${packageName} cannot be used: ${String(error.message).split('\n', 1)[0]}`);
    }
  }
  try {
    await loadConfig({ cwd: tmpdir(), overrides: { reuse: { default: 'container' }, plugins: [], runtimes: [] } });
    languages.reuse = true;
  } catch (error) {
    languages.missing.push(`a kept handler needs the setting "reuse": ${String(error.message).split('\n', 1)[0]}`);
  }
  return languages;
}
