/** `nanogrid doctor`: what this machine lacks to run the worker, and how to get it. Owns no state. */

import type { LoadedConfig } from '@nanogrid/core';
import type { Command } from 'commander';
import { type Finding, failed, ok } from '../doctor/check.js';
import { checkDocker } from '../doctor/check-docker.js';
import { checkFolder, checkMemory, checkNode, checkPort, configFinding } from '../doctor/check-machine.js';
import { checkPlugins, pluginFinding } from '../doctor/check-plugins.js';
import { EXIT } from '../exit-codes.js';
import type { Execute, Invocation } from '../invocation.js';
import { loadDefaults, loadProject } from '../load-project.js';
import type { Style } from '../ui/style.js';
import { createStyle, wantsColour } from '../ui/style.js';
import { teach } from './shared.js';

export function addDoctor(parent: Command, execute: Execute): void {
  const command = parent
    .command('doctor')
    .summary('find out what is missing')
    .description(
      `Looks at Node.js, Docker, the kernel, images, folders and the configuration, and at each outside service with the
options and credentials in use; says how to get what lacks.`,
    )
    .action(() => execute(examine));
  teach(command, 'nanogrid doctor\nnanogrid doctor --json | jq -r \'.findings[] | select(.status == "fail") | .hint\'');
}

async function examine(invocation: Invocation): Promise<number> {
  const { io, ui } = invocation;
  const findings = [checkNode(process.version), ...(await examineProject(invocation))];
  const healthy = findings.every(({ status }) => status !== 'fail');
  const style = createStyle(wantsColour(io.stdout, io.env));
  ui.result({ healthy, findings }, findings.map((finding) => toText(finding, style)).join('\n'));
  ui.note(healthy ? 'NanoGrid can run here.' : 'NanoGrid cannot run here yet.');
  return healthy ? EXIT.ok : EXIT.failed;
}

async function examineProject(invocation: Invocation): Promise<Finding[]> {
  const broken: Finding[] = [];
  let loaded: LoadedConfig;
  let configuration: Finding;
  try {
    loaded = await loadProject(invocation, {
      onPluginError: (name, error) => void broken.push(pluginFinding(name, error)),
    });
    configuration = ok('configuration', loaded.filePath ?? 'no file, defaults only');
  } catch (error) {
    // The machine can be looked at all the same.
    loaded = await loadDefaults(invocation);
    configuration = configFinding(error);
  }
  const { config } = loaded;
  const docker = checkDocker(loaded).catch((error: unknown) => [
    failed('Docker', error, 'Look at the engine with: docker info'),
  ]);
  const [found, services, ...others] = await Promise.all([
    docker,
    configuration.status === 'ok' ? checkPlugins(loaded, invocation.io.env) : [],
    checkFolder('dataDir', config.dataDir),
    checkFolder('workDir', config.workDir),
    checkPort(config),
  ]);
  return [configuration, ...found, checkMemory(config), ...others, ...broken, ...services];
}

const MARKS = { ok: '✔', warn: '!', fail: '✖' } as const;

function toText({ name, status, found, hint }: Finding, style: Style): string {
  const paint = { ok: style.green, warn: style.yellow, fail: style.red }[status];
  const line = `${paint(`${MARKS[status]} ${status.padEnd(4)}`)} ${style.bold(name)}: ${found}`;
  return hint === undefined ? line : `${line}\n         ${hint}`;
}
