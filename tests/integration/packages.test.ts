/** The packages as they are published: packed, installed into an empty project elsewhere, and used there. */

import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scriptOf } from '../support/documented.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const INSTALL = ['install', '--no-audit', '--no-fund', '--prefer-offline'];
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

interface Packed {
  readonly name: string;
  readonly version: string;
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

interface Ended {
  readonly exitCode: number | null;
  readonly out: string;
  readonly err: string;
}

let root: string;
/** An empty project with the tarballs installed. */
let project: string;
let packages: readonly Packed[];
/** What this repository is developed with, by name. */
let tools: Readonly<Record<string, string>>;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'nanogrid-packages-test-'));
  project = join(root, 'project');
  const tarballs = join(root, 'tarballs');
  await mkdir(project);
  await mkdir(tarballs);
  const packed = await call(ROOT, 'npm', 'pack', '--workspaces', '--json', '--pack-destination', tarballs);
  expect(packed).toMatchObject({ exitCode: 0 });
  packages = JSON.parse(packed.out) as Packed[];
  await writeFile(join(project, 'package.json'), '{"name": "project", "private": true, "type": "module"}');
  const paths = packages.map(({ filename }) => join(tarballs, filename));
  tools = (JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { devDependencies: typeof tools })
    .devDependencies;
  const compiler = ['typescript', '@types/node'].map((name) => `${name}@${tools[name]}`);
  const installed = await call(project, 'npm', ...INSTALL, ...paths, ...compiler);
  expect(installed, installed.err).toMatchObject({ exitCode: 0 });
}, 1_200_000);

afterAll(() => rm(root, { recursive: true, force: true }));

/** Runs a program to its end. */
async function call(cwd: string, program: string, ...argv: string[]): Promise<Ended> {
  const child = spawn(program, argv, { cwd, env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
  const exit = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  const [exitCode, out, err] = await Promise.all([exit, text(child.stdout), text(child.stderr)]);
  return { exitCode, out, err };
}

/** Without what npm tells the scripts it runs, for instance these tests: it would lead the npm below to this repository. */
function environment(): NodeJS.ProcessEnv {
  const own = /^(npm_(package|lifecycle|command|execpath|node_execpath|config_local_prefix|config_loglevel)|INIT_CWD)/;
  const kept = Object.entries(process.env).filter(([name]) => !own.test(name));
  return { ...Object.fromEntries(kept), NANOGRID_ENV: '', NO_COLOR: '1' };
}

function nanogrid(...argv: string[]): Promise<Ended> {
  return call(project, 'npx', '--no', '--', 'nanogrid', ...argv);
}

function filesOf(name: string): string[] {
  const found = packages.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`the package ${name} was not packed`);
  return found.files.map(({ path }) => path);
}

describe('the tarballs', () => {
  test('are those of all packages, with what every one needs', async () => {
    const folders = await readdir(join(ROOT, 'packages'));
    expect(packages).toHaveLength(folders.length);
    for (const { name } of packages) {
      const needed = ['package.json', 'README.md', 'LICENSE', 'dist/index.js', 'dist/index.d.ts'];
      expect(filesOf(name), name).toEqual(expect.arrayContaining(needed));
    }
  });

  test('hold no tests, no leavings of the build and no sources', () => {
    const unwanted = /\.test\.|\.test-support\.|\.test\.util\.|tsbuildinfo|__pycache__|\.pyc$|(?<!\.d)\.ts$|\.o$/;
    for (const { name, files } of packages) {
      expect(
        files.map(({ path }) => path).filter((path) => unwanted.test(path) && !path.startsWith('templates/')),
        name,
      ).toEqual([]);
    }
  });

  test('hold what is delivered beside the code', async () => {
    const supervisor = (await readdir(join(ROOT, 'packages/core/supervisor'))).filter((name) => /\.[ch]$/.test(name));
    expect(supervisor).toContain('main.c');
    const needed = ['Dockerfile', 'Makefile', ...supervisor].map((name) => `supervisor/${name}`);
    expect(filesOf('@nanogrid/core')).toEqual(
      expect.arrayContaining([...needed, 'schema/nanogrid.config.schema.json']),
    );
    expect(filesOf('@nanogrid/runtime-python')).toEqual(expect.arrayContaining(['image/Dockerfile', 'shim/shim.py']));
    expect(filesOf('@nanogrid/runtime-cpp')).toContain('image/Dockerfile');
    expect(filesOf('@nanogrid/runtime-go')).toContain('image/Dockerfile');
    expect(filesOf('@nanogrid/runtime-node')).toEqual(
      expect.arrayContaining(['image/Dockerfile', 'shim/shim.cjs', 'shim/get-ready.cjs']),
    );
    expect(filesOf('@nanogrid/plugin-prometheus')).toEqual(
      expect.arrayContaining(['dashboards/nanogrid.json', 'alerts/nanogrid.yml']),
    );
    const templates = ['runtime', 'plugin'].map((kind) => `templates/${kind}/src/index.ts`);
    expect(filesOf('nanogrid')).toEqual(expect.arrayContaining(['bin/nanogrid.js', ...templates]));
    const reference = ['shell/main.sh', 'python/main.py', 'node/index.js', 'cpp/main.cpp', 'go/main.go'].map(
      (path) => `reference/${path}`,
    );
    expect(filesOf('@nanogrid/runtime-testkit')).toEqual(expect.arrayContaining(reference));
  });
});

describe('an empty project with the packages installed', { timeout: 600_000 }, () => {
  test('has one copy of core, which all of them share', async () => {
    const listed = await call(project, 'npm', 'ls', '@nanogrid/core', '--all', '--json');
    expect(listed, listed.out).toMatchObject({ exitCode: 0 });
    const scoped = await readdir(join(project, 'node_modules/@nanogrid'));
    expect(scoped.sort()).toEqual(packages.flatMap(({ name }) => name.split('/').slice(1)).sort());
    for (const name of [...scoped.map((folder) => `@nanogrid/${folder}`), 'nanogrid']) {
      const nested = await readdir(join(project, 'node_modules', name, 'node_modules')).catch(() => []);
      expect(nested, name).not.toContain('@nanogrid');
    }
  });

  test('no package asks for an install script', async () => {
    for (const { name } of packages) {
      const manifest = await readFile(join(project, 'node_modules', name, 'package.json'), 'utf8');
      const { scripts = {} } = JSON.parse(manifest) as { scripts?: Record<string, string> };
      expect(Object.keys(scripts).filter((script) => /^(pre|post)?install$/.test(script))).toEqual([]);
    }
  });

  test('gets no other node than its own', async () => {
    const commands = await readdir(join(project, 'node_modules/.bin'));
    expect(commands).toContain('nanogrid');
    for (const own of ['node', 'nodejs', 'npm', 'npx']) expect(commands).not.toContain(own);
  });

  test('npx nanogrid --version is the version of the package', async () => {
    const version = packages.find(({ name }) => name === 'nanogrid')?.version;
    expect(await nanogrid('--version')).toMatchObject({ exitCode: 0, out: `${version}\n` });
  });

  test('npx nanogrid run runs a function in a container', async () => {
    await writeFile(join(project, 'hello.py'), 'print("at work")\nprint(\'{"hello": "tarball"}\')\n');
    const { exitCode, out, err } = await nanogrid('run', 'hello.py');
    expect({ exitCode, out }, err).toEqual({ exitCode: 0, out: '{"hello":"tarball"}\n' });
    expect(err).toContain('at work');
  });

  test('a configuration in TypeScript compiles against the declarations, and is loaded', async () => {
    const config = `import { defineConfig, definePlugin } from '@nanogrid/core';
import local from '@nanogrid/plugin-local';
import python from '@nanogrid/runtime-python';

const audit = definePlugin({
  name: 'audit',
  version: '1.0.0',
  core: '*',
  optionsSchema: { type: 'object', additionalProperties: false, properties: { label: { type: 'string' } } },
  apply(host, options: { label?: string }) {
    host.hooks.onResult.tap('audit', (result) => host.log.info({ id: result.requestId }, options.label ?? 'done'));
  },
});

export default defineConfig({
  runtimes: [python({ poolSize: 2 })],
  plugins: [local({ maxAttempts: 3 }), audit()],
  environments: { production: { worker: { slots: 8 } } },
});
`;
    await writeFile(join(project, 'nanogrid.config.ts'), config);
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
    const typeRoots = join(ROOT, 'node_modules/@types');
    const compile = (file: string) => call(project, process.execPath, TSC, ...options, '--typeRoots', typeRoots, file);
    expect(await compile('nanogrid.config.ts')).toMatchObject({ exitCode: 0, out: '' });
    // A compiler that sees no types lets everything pass.
    await writeFile(join(project, 'wrong.ts'), config.replace('slots: 8', "slots: 'eight'"));
    expect((await compile('wrong.ts')).out).toMatch(/wrong\.ts\(\d+,\d+\): error TS2322/);

    expect(await nanogrid('config', 'check')).toMatchObject({ exitCode: 0 });
    const printed = await nanogrid('config', 'print', '--env', 'production', '--json');
    expect(printed.out).toMatch(/"slots": ?8/);
  });
});

/** Does what a page of documentation says, in the project; `npm install` takes the packages that were packed here. */
async function follow(page: string): Promise<Ended> {
  const script = await scriptOf(new URL(`../../docs/${page}`, import.meta.url));
  const paths = packages.map(({ filename }) => `'${join(root, 'tarballs', filename)}'`).join(' ');
  // What is not ours lies in the project already; copied as links, it need not be unpacked once more.
  const install = `cp -al ../node_modules . && command npm ${INSTALL.join(' ')} --no-save ${paths}`;
  const npm = `npm() { if [ "$*" = install ]; then ${install}; else command npm "$@"; fi; }`;
  return call(project, 'sh', '-c', `${npm}\n${script}`);
}

// Each compiles, runs the kit or its tests, and installs packages: longer than a test has by default on a busy machine.
describe('a package of a third party', { timeout: 900_000 }, () => {
  test('Perl, on an image with nothing of ours: builds, passes the kit, and is installed from its tarball', async () => {
    const own = join(project, 'runtime-perl');
    await cp(join(ROOT, 'examples/runtime-perl'), own, { recursive: true });
    const tested = await call(own, 'npm', 'test');
    expect(tested, tested.out + tested.err).toMatchObject({ exitCode: 0 });
    const packed = await call(own, 'npm', 'pack', '--json', '--pack-destination', root);
    const [{ filename, files }] = JSON.parse(packed.out) as [Packed];
    expect(files.map(({ path }) => path).sort()).toEqual([
      'LICENSE',
      'README.md',
      'dist/index.d.ts',
      'dist/index.js',
      'package.json',
    ]);
    const installed = await call(project, 'npm', ...INSTALL, join(root, filename));
    expect(installed, installed.err).toMatchObject({ exitCode: 0 });
    const user = join(project, 'user');
    await mkdir(user);
    await writeFile(
      join(user, 'nanogrid.config.ts'),
      `import { defineConfig, local } from 'nanogrid';
import perl from 'nanogrid-runtime-perl';
export default defineConfig({ runtimes: [perl()], plugins: [local()] });`,
    );
    await writeFile(join(user, 'sum.pl'), 'my $sum = 0; $sum += $_ for <STDIN> =~ /\\d+/g; print "$sum\\n";');
    const ran = await call(user, 'npx', '--no', '--', 'nanogrid', 'run', 'sum.pl', '--input', '[20, 22]');
    expect(ran, ran.err).toMatchObject({ exitCode: 0, out: '42\n' });
  });

  test('a runtime: docs/write-a-runtime.md, from its first line to its last, makes examples/runtime-lua', async () => {
    const { exitCode, out, err } = await follow('write-a-runtime.md');
    expect(exitCode, out + err).toBe(0);
    expect(out).toContain('\n{"runtime":"lua","input":"hello"}\n');
    // As it is, and compiled.
    expect(out.match(/^{"input":"hello","runtime":"Lua 5.4"}$/gm)).toHaveLength(2);
    // The kit has passed twice: on what was created, and on what the page makes of it.
    // Node's reporters say it with different signs.
    expect(out.match(/(?<=^[#ℹ] pass )\d+$/gmu)).toEqual(['21', '21']);
    const made = await textsOf(join(project, 'runtime-lua'));
    expect(made).toEqual(await textsOf(join(ROOT, 'examples/runtime-lua')));
  });

  test('a plugin: docs/write-a-plugin.md, from its first line to its last', async () => {
    const { exitCode, out, err } = await follow('write-a-plugin.md');
    expect(exitCode, out + err).toBe(0);
    expect(out).toContain('\n"Good morning, Ada!"\n');
    expect(out).toContain('\n"Hello, Ada!"\n');
    expect(out.match(/(?<=^[#ℹ] pass )\d+$/gmu)).toEqual(['3', '2']);
    expect(out.trim().split('\n').at(-1)).toMatch(
      /^{"requestId":".+","functionId":"example","status":"SUCCESS","durationMs":/,
    );
  });
});

/** The files of a package that its author keeps, by path. */
async function textsOf(folder: string): Promise<Record<string, string>> {
  const texts: Record<string, string> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = relative(folder, join(entry.parentPath, entry.name));
    if (!entry.isFile() || /^(?:node_modules|dist|package-lock\.json)(?:\/|$)/.test(path)) continue;
    texts[path] = await readFile(join(folder, path), 'utf8');
  }
  return texts;
}
