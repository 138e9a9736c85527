/** Compiles and fuzzes the supervisor's decoding in a container of its own, without network. Owns that container, and the image with the compiler. */

import { readdir, readFile } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { createDockerClient, ImageStore } from '@nanogrid/core';

const docker = createDockerClient(undefined);
const SUPERVISOR = fileURLToPath(new URL('../../packages/core/supervisor/', import.meta.url));
const FUZZ = fileURLToPath(new URL('../fuzz/', import.meta.url));
/** The parts that are pure, and the harness. */
const UNITS = [
  'frame.c',
  'fields.c',
  'requests.c',
  'answers.c',
  'order.c',
  'bytes.c',
  'strings.c',
  'supervisor-fuzz.c',
];

/** Files by name, as they lie in the container. */
export type Files = Record<string, Buffer | string>;

interface Seeds {
  readonly FOUND: readonly string[];
  seedStreams(): Promise<Buffer[]>;
  fuzzDictionary(): string;
}

/** The recorded conversations come from core's own tests; they are no part of what users may import. */
async function loadSeeds(): Promise<Seeds> {
  return import(new URL('../../packages/core/dist/exec/seed-streams.test-support.js', import.meta.url).href);
}

/** Makes sure of the image with the compiler; tells each step, since the first time takes a while. */
export async function fuzzTools(): Promise<string> {
  let step = '';
  const onProgress = ({ message }: { message: string }) => {
    if (message !== step) console.log(`fuzz-tools: ${message}`);
    step = message;
  };
  const image = { name: 'nanogrid/fuzz-tools', context: `${FUZZ}tools/` };
  return (await new ImageStore(docker).ensure({ name: 'fuzz-tools', image }, { onProgress })).tag;
}

/** The supervisor's sources and the harness. */
export async function supervisorSources(): Promise<Files> {
  const files: Files = {};
  for (const directory of [SUPERVISOR, FUZZ]) {
    for (const name of await readdir(directory)) {
      if (/\.[ch]$/.test(name)) files[name] = await readFile(directory + name, 'utf8');
    }
  }
  return files;
}

/** Runs a shell script over `files` in a container of the tools' image. */
export async function runTools(files: Files, script: string): Promise<{ exitCode: number; output: string }> {
  const container = await docker.createContainer({
    Image: await fuzzTools(),
    Cmd: ['sh', '-s'],
    WorkingDir: '/tmp',
    User: '65534:65534',
    Labels: { 'nanogrid.role': 'fuzz' },
    OpenStdin: true,
    StdinOnce: true,
    NetworkDisabled: true,
    HostConfig: {
      NetworkMode: 'none',
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      Memory: 2 ** 30,
      PidsLimit: 64,
      LogConfig: { Type: 'none', Config: {} },
    },
  });
  try {
    const attach = { stream: true, hijack: true, stdin: true, stdout: true, stderr: true };
    const stream = await container.attach(attach);
    const output = new PassThrough();
    const collected = text(output);
    docker.modem.demuxStream(stream, output, output);
    stream.on('end', () => output.end());
    stream.on('error', () => output.end());
    await container.start();
    const ended = container.wait();
    stream.end(`${Object.entries(files).map(here).join('')}${script}\n`);
    return { exitCode: (await ended).StatusCode, output: await collected };
  } finally {
    await container.remove({ force: true });
  }
}

/** A file as a piece of the script, so that no part of this machine is mounted. */
function here([name, content]: [string, Buffer | string]): string {
  const encoded = Buffer.from(content).toString('base64').replace(/.{76}/g, '$&\n');
  return `mkdir -p "$(dirname '${name}')"\nbase64 -d > '${name}' <<'END'\n${encoded}\nEND\n`;
}

export interface FuzzReport {
  /** How often the decoder was run. */
  readonly executions: number;
  /** What it printed. */
  readonly output: string;
  /** The inputs that broke it, as hex. */
  readonly crashes: readonly string[];
}

/** Fuzzes for so many seconds, or until something breaks. Throws where it does not even compile or take the seeds. */
export async function fuzzSupervisor(sources: Files, seconds: number): Promise<FuzzReport> {
  const { seedStreams, fuzzDictionary, FOUND } = await loadSeeds();
  const files: Files = { ...sources, 'words.dict': fuzzDictionary() };
  for (const [i, stream] of (await seedStreams()).entries()) {
    for (const cut of [0, 1, 77]) files[`seeds/${i}-${cut}`] = Buffer.concat([Buffer.from([cut, 0]), stream]);
  }
  for (const [i, hex] of FOUND.entries()) files[`found/${i}`] = Buffer.from(hex, 'hex');
  const { output } = await runTools(
    files,
    `
    clang -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -g -O1 -fsanitize=fuzzer,address,undefined \\
      -fno-sanitize-recover=all -o fuzz ${UNITS.join(' ')} || { echo 'not compiled'; exit 1; }
    ALL_TAKEN=1 ./fuzz seeds/* && echo 'seeds taken'
    if [ -d found ]; then ./fuzz found/*; fi
    ./fuzz -dict=words.dict -max_len=8192 -max_total_time=${seconds} -seed=1 -timeout=5 -print_final_stats=1 seeds
    for file in crash-* leak-* timeout-* oom-*; do
      if [ -f "$file" ]; then echo "input: $(od -An -v -tx1 "$file" | tr -d ' \\n')"; fi
    done`,
  );
  if (!output.includes('seeds taken')) throw new Error(`the seeds are not taken:\n${output.slice(-4000)}`);
  const executions = Number(/number_of_executed_units: (\d+)/.exec(output)?.[1] ?? 0);
  const crashes = [...output.matchAll(/^input: ([0-9a-f]+)$/gm)].map(([, hex]) => hex as string);
  return { executions, output, crashes };
}

/** What to do about an input that broke the decoder. */
export function explainCrashes({ output, crashes }: FuzzReport): string {
  const lines = output.split('\n').filter((line) => /ERROR|SUMMARY|broken at|runtime error|^ {4}#[0-6] /.test(line));
  return [
    ...lines.slice(0, 20),
    ...crashes.map((hex) => `Input as hex: ${hex}`),
    'To repeat it: add the hex to FOUND in packages/core/src/exec/seed-streams.test-support.ts, then run',
    'npm test -- tests/integration/supervisor-fuzz.test.ts',
  ].join('\n');
}
