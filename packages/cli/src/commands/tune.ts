/** `nanogrid tune FUNCTION`: runs a function at several sizes and says which is best. Owns no state. */

import { access, constants, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { NanoGridError } from '@nanogrid/core';
import { type Command, Option } from 'commander';
import { EXIT, exitCodeOf } from '../exit-codes.js';
import type { Execute, Invocation } from '../invocation.js';
import { loadProject } from '../load-project.js';
import { amount, amounts, handlerName, wholeNumber, wholeNumbers } from '../parse-options.js';
import { readInputText } from '../read-input.js';
import { makeScratch } from '../scratch.js';
import { GOALS, type Goal, rate, usualPrice } from '../tune/evaluate.js';
import { type Measurement, measureSizes, type SizeRunner } from '../tune/measure.js';
import { findingsDocument, findingsSvg, findingsText } from '../tune/report.js';
import { allSizes, nameOf, type Size, USUAL_MEMORY_MB } from '../tune/size.js';
import { type RunnerOptions, startRunner } from '../tune/start-runner.js';
import { canSpin, Spinner } from '../ui/spinner.js';
import { teach } from './shared.js';

/** Each has a container of its own. */
const MOST_SIZES = 100;

interface TuneOptions extends RunnerOptions {
  readonly memory?: readonly number[];
  readonly runs: number;
  readonly for: Goal;
  readonly input?: string;
  readonly inputFile?: string;
  readonly svg?: string;
  readonly price: number;
  readonly currency: string;
}

export function addTune(parent: Command, execute: Execute): void {
  const command = parent
    .command('tune')
    .argument(
      '<function>',
      'its folder, a .zip of one or a source file; with --server or --profile also its name or id',
    )
    .summary('find the best memory and CPU size of a function')
    .description(
      `Runs a function at several sizes in turn, one run at a time, and shows what a run takes and costs at each: a table, a
chart, and the best size for cost, for speed and for the balance of both (the smallest product). A size at which the
function fails is shown with its reason, and the others are tried. Of each size one run comes before those that count.
A size that leaves less than a tenth of its memory free is recommended only where no other works. By default the
runs are on this machine, as nanogrid run has them; with --server or --profile on the workers of a controller, with
a temporary function for each size, of the code at a path or of a registered function. A GB-second costs what AWS Lambda takes unless --price says otherwise; with --cpus
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
    .action((named: string, options: TuneOptions) => execute((invocation) => tune(invocation, named, options)));
  teach(
    command,
    `
nanogrid tune examples/functions/hello --input '{"name": "Ada"}'
nanogrid tune resize --handler main.handler --input-file event.json --memory 64,128,256,512 --cpus 0.25,0.5,1
nanogrid tune resize --for cost --runs 20 --svg resize.svg
nanogrid tune resize --profile production --memory 256,512
nanogrid tune registered-name --profile production
nanogrid tune resize --json | jq .recommended`,
  );
}

async function tune(invocation: Invocation, named: string, options: TuneOptions): Promise<number> {
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
  const { maxMemoryMb } = loaded.config.job;
  const memory = options.memory ?? USUAL_MEMORY_MB.filter((mib) => mib <= maxMemoryMb);
  const sizes = allSizes(memory.length === 0 ? [maxMemoryMb] : memory, options.cpus);
  if (sizes.length > MOST_SIZES) {
    throw new NanoGridError('NG_USAGE', `These are ${sizes.length} sizes; at most ${MOST_SIZES} are tried.`, {
      hint: 'Name fewer with --memory and --cpus: every memory is tried with every share.',
    });
  }
  const scratch = await makeScratch(io);
  const request = { named, inputJson, options, sizes, scratch: scratch.path };
  let functionName: string;
  let measured: Measurement[];
  try {
    const { name, runner } = await startRunner(invocation, loaded, request, isRemote);
    functionName = name;
    measured = await measure(invocation, runner, sizes, options.runs);
  } finally {
    await scratch.remove();
  }
  const { price, currency, for: goal } = options;
  const rated = rate(measured, { perGbSecond: price, cpusCost: options.cpus !== undefined });
  const findings = { functionName, measured, rated, goal, price, currency };
  if (svgPath !== undefined) await orUsage(writeFile(svgPath, findingsSvg(findings)));
  ui.result(findingsDocument(findings), findingsText(findings, io.stdout.columns ?? 80));
  return rated.length > 0 ? EXIT.ok : exitCodeOf(measured[measured.length - 1]?.failure?.errorCode);
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
