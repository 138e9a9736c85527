/** `nanogrid tune PATH`: runs a function at several sizes and says which is best. Owns no state. */

import { access, constants, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { createDockerClient, DockerEngine, type LoadedConfig, NanoGridError } from '@nanogrid/core';
import { type Command, Option } from 'commander';
import type { ConnectionOptions } from '../client/connection.js';
import { FUNCTION_FILE, type FunctionFile, readFunctionFile } from '../client/function-file.js';
import { openApi } from '../client/with-api.js';
import { guessRuntime } from '../code/guess-runtime.js';
import { type Code, readCode } from '../code/read-code.js';
import { EXIT, exitCodeOf } from '../exit-codes.js';
import type { Execute, Invocation } from '../invocation.js';
import { newJobId } from '../job-message.js';
import { loadProject } from '../load-project.js';
import { amount, amounts, handlerName, wholeNumber, wholeNumbers } from '../parse-options.js';
import { readInputText } from '../read-input.js';
import { makeScratch } from '../scratch.js';
import { GOALS, type Goal, rate, usualPrice } from '../tune/evaluate.js';
import { LocalRunner } from '../tune/local-runner.js';
import { type Measurement, measureSizes, type SizeRunner } from '../tune/measure.js';
import { findingsDocument, findingsSvg, findingsText } from '../tune/report.js';
import { ServerRunner } from '../tune/server-runner.js';
import { allSizes, nameOf, type Size, USUAL_MEMORY_MB } from '../tune/size.js';
import { canSpin, Spinner } from '../ui/spinner.js';
import { teach } from './shared.js';

/** Each has a container of its own. */
const MOST_SIZES = 100;

interface TuneOptions extends ConnectionOptions {
  readonly memory?: readonly number[];
  readonly cpus?: readonly number[];
  readonly runs: number;
  readonly for: Goal;
  readonly input?: string;
  readonly inputFile?: string;
  readonly runtime?: string;
  readonly handler?: string;
  readonly timeout?: number;
  readonly svg?: string;
  readonly price: number;
  readonly currency: string;
}

export function addTune(parent: Command, execute: Execute): void {
  const command = parent
    .command('tune')
    .argument('<path>', 'folder of the function, a .zip of one, or a single source file')
    .summary('find the best memory and CPU size of a function')
    .description(
      `Runs a function at several sizes in turn, one run at a time, and shows what a run takes and costs at each: a table, a
chart, and the best size for cost, for speed and for the balance of both (the smallest product). A size at which the
function fails is shown with its reason, and the others are tried. Of each size one run comes before those that count.
A size that leaves less than a tenth of its memory free is recommended only where no other works. By default the
runs are on this machine, as nanogrid run has them; with --server or --profile on the workers of a controller, with
a temporary function for each size. A GB-second costs what AWS Lambda takes unless --price says otherwise; with --cpus
a size costs at least the memory that comes with its processors there (1,769 MiB each).`,
    )
    .option('--memory <mb,…>', `memory limits in MiB; default: ${USUAL_MEMORY_MB.join(',')}`, wholeNumbers(1))
    .option('--cpus <n,…>', 'processors, for instance 0.25,0.5,1; default: as configured', amounts(0.01))
    .option('--runs <n>', 'runs of each size', wholeNumber(1), 5)
    .addOption(new Option('--for <goal>', 'what the recommendation is for').choices(GOALS).default('balance'))
    .option('--input <json>', 'the input: JSON, @FILE, or - for standard input')
    .option('--input-file <file>', 'the same as --input @FILE')
    .option('--runtime <name>', 'runtime to use; default: told by the names of the files')
    .option('--handler <file.function>', 'call this function instead of running the entry point', handlerName)
    .option('--timeout <ms>', 'time limit of a run in milliseconds', wholeNumber(1))
    .option('--svg <file>', 'write the chart as a picture, too')
    .option('--price <amount>', 'price of a GB-second', amount(0), usualPrice())
    .option('--currency <code>', 'currency of the price', 'USD')
    .option('--server <url>', 'measure on the workers of this controller')
    .option('--profile <name>', 'measure on the workers of the controller of this profile')
    .option('--api-key <key>', 'API key of the controller; default: NANOGRID_API_KEY, the profile of that server')
    .action((path: string, options: TuneOptions) => execute((invocation) => tune(invocation, path, options)));
  teach(
    command,
    `
nanogrid tune examples/functions/hello --input '{"name": "Ada"}'
nanogrid tune resize --handler main.handler --input-file event.json --memory 64,128,256,512 --cpus 0.25,0.5,1
nanogrid tune resize --for cost --runs 20 --svg resize.svg
nanogrid tune resize --profile production --memory 256,512
nanogrid tune resize --json | jq .recommended`,
  );
}

async function tune(invocation: Invocation, path: string, options: TuneOptions): Promise<number> {
  const { io, ui } = invocation;
  const isRemote = [options.server, options.apiKey, options.profile].some((given) => given !== undefined);
  if (isRemote && options.cpus !== undefined) {
    throw new NanoGridError('NG_USAGE', 'The processors of a controller’s workers cannot be chosen from here.', {
      hint: 'Leave --cpus out, or leave --server, --api-key and --profile out to measure on this machine.',
    });
  }
  const svgPath = options.svg === undefined ? undefined : resolve(io.cwd, options.svg);
  // Now rather than after all runs.
  if (svgPath !== undefined) await orUsage(access(dirname(svgPath), constants.W_OK));
  const inputJson = await readInputText(inputOf(options), io);
  const loaded = await loadProject(invocation);
  const file = await readFunctionFile(resolve(io.cwd, path));
  const handler = options.handler ?? file.handler;
  const code = await readCode(path, io.cwd, loaded.config.code.limits, handler, [`/${FUNCTION_FILE}`]);
  const { maxMemoryMb } = loaded.config.job;
  const memory = options.memory ?? USUAL_MEMORY_MB.filter((mib) => mib <= maxMemoryMb);
  const sizes = allSizes(memory.length === 0 ? [maxMemoryMb] : memory, options.cpus);
  if (sizes.length > MOST_SIZES) {
    throw new NanoGridError('NG_USAGE', `These are ${sizes.length} sizes; at most ${MOST_SIZES} are tried.`, {
      hint: 'Name fewer with --memory and --cpus: every memory is tried with every share.',
    });
  }
  const scratch = await makeScratch(io);
  const request = { code, file, handler, inputJson, options, sizes, scratch: scratch.path };
  let measured: Measurement[];
  try {
    const start = isRemote ? onServer : onThisMachine;
    measured = await measure(invocation, await start(invocation, loaded, request), sizes, options.runs);
  } finally {
    await scratch.remove();
  }
  const { price, currency, for: goal } = options;
  const rated = rate(measured, { perGbSecond: price, cpusCost: options.cpus !== undefined });
  const findings = { functionName: code.functionId, measured, rated, goal, price, currency };
  if (svgPath !== undefined) await orUsage(writeFile(svgPath, findingsSvg(findings)));
  ui.result(findingsDocument(findings), findingsText(findings, io.stdout.columns ?? 80));
  return rated.length > 0 ? EXIT.ok : exitCodeOf(measured[measured.length - 1]?.failure?.errorCode);
}

interface Request {
  readonly code: Code;
  readonly file: FunctionFile;
  readonly handler: string | undefined;
  readonly inputJson: string;
  readonly options: TuneOptions;
  readonly sizes: readonly Size[];
  readonly scratch: string;
}

async function onThisMachine(invocation: Invocation, loaded: LoadedConfig, request: Request): Promise<SizeRunner> {
  const { code, file, handler, inputJson, options, sizes, scratch } = request;
  const asked = options.runtime ?? file.runtime;
  const runtime =
    asked === undefined
      ? guessRuntime({ ...code, handler }, loaded.runtimes)
      : loaded.runtimeRegistry.resolve(asked).runtime;
  const timeoutMs = options.timeout ?? (file.timeout === undefined ? undefined : file.timeout * 1_000);
  const input = JSON.parse(inputJson);
  const job = { code, runtime, input, handler, env: file.env, timeoutMs, scratch, sizes: sizes.length };
  for (const size of sizes) LocalRunner.message(loaded, job, size, newJobId());
  if (options.cpus !== undefined) await checkProcessors(options.cpus, loaded);
  return LocalRunner.start(loaded, job, invocation.io);
}

async function onServer(invocation: Invocation, loaded: LoadedConfig, request: Request): Promise<SizeRunner> {
  const { code, file, handler, inputJson, options } = request;
  const api = await openApi(invocation, options);
  const runtime = options.runtime ?? file.runtime ?? guessRuntime({ ...code, handler }, loaded.runtimes).name;
  const settings: FunctionFile = {
    ...file,
    runtime,
    ...(handler === undefined ? {} : { handler }),
    // The controller takes whole seconds.
    ...(options.timeout === undefined ? {} : { timeout: Math.ceil(options.timeout / 1_000) }),
  };
  return new ServerRunner(invocation, { api, code, settings, inputJson });
}

/** More than there are would be given as many as there are: two sizes would be one. */
async function checkProcessors(cpus: readonly number[], { config }: LoadedConfig): Promise<void> {
  const { processors } = await new DockerEngine(createDockerClient(config.docker.host)).info();
  const most = Math.max(...cpus);
  if (most <= processors) return;
  throw new NanoGridError('NG_USAGE', `The Docker engine has ${processors} processors, and --cpus asks for ${most}.`, {
    hint: `Give --cpus no number above ${processors}.`,
  });
}

async function measure(
  { io, ui }: Invocation,
  runner: SizeRunner,
  sizes: readonly Size[],
  runs: number,
): Promise<Measurement[]> {
  const spinner = new Spinner(io);
  let said = '';
  const place = (size: Size) => `${sizes.indexOf(size) + 1} of ${sizes.length}`;
  try {
    return await measureSizes(runner, {
      sizes,
      runs,
      onRun: (size, run) => {
        const what = run === 0 ? 'First run' : `Run ${run} of ${runs}`;
        if (canSpin(io.stderr)) spinner.show(`${what}: ${nameOf(size)} (${place(size)})`);
        else if (what !== said) ui.note(what);
        said = what;
      },
      onFailure: (size, { errorMessage }) => {
        spinner.stop();
        ui.note(`${nameOf(size)}: ${errorMessage}`);
      },
    });
  } finally {
    spinner.stop();
    await runner.close();
  }
}

function inputOf({ input, inputFile }: TuneOptions): string | undefined {
  if (inputFile === undefined) return input;
  if (input === undefined) return `@${inputFile}`;
  throw new NanoGridError('NG_USAGE', 'The input is given twice.', { hint: 'Give --input or --input-file.' });
}

/** Of the file of the chart. */
async function orUsage(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (cause) {
    throw new NanoGridError('NG_USAGE', `The chart cannot be written: ${(cause as Error).message}`, {
      cause,
      hint: 'Name a file in a folder that exists with --svg.',
    });
  }
}
