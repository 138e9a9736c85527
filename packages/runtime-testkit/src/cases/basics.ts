/** Cases of an ordinary script: input, environment, streams, exit code, files. Owns no state. */

import type { CaseDefinition } from '../kit-case.js';
import { shown } from '../kit-failure.js';
import { FUNCTION_ID, type KitWorker } from '../kit-worker.js';

/** Every byte there is. */
const BYTES = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const LARGE_BYTES = 2 ** 20;
const COMMAND =
  '`run` (or the shim): it must start the program itself, with its streams and its environment as they are';

/** Runs the operation `input` and compares all three ways with what was sent. `env` is false where it does not fit there. */
async function expectInput(kit: KitWorker, input: string, env: boolean): Promise<void> {
  const outcome = await kit.script(input);
  outcome.expectSuccess('the operation "input" of the script; an input may be larger than an environment');
  const files = await kit.outputs(outcome);
  const sent = Buffer.from(JSON.stringify(input));
  const ways = { stdin: 'standard input', file: 'the file named by PAYLOAD_FILE', env: 'the variable PAYLOAD' };
  for (const [name, way] of Object.entries(ways)) {
    if (name === 'env' && !env) continue;
    const got = files[name];
    outcome.expect(
      got?.equals(sent) === true,
      `/output/${name} is the input as it came by ${way}: ${shown(sent.toString())}`,
      `${got === undefined ? 'the file is missing' : `the file is ${shown(got.toString())}`}; ${COMMAND}`,
    );
  }
}

export const BASICS: readonly CaseDefinition[] = [
  {
    id: 'hello',
    name: 'a script runs, and its last line is the result',
    async run(kit) {
      const outcome = await kit.script('hello');
      outcome.expectSuccess('the entry point, the command in `run` and the operation "hello" of the script');
      const wanted = '{"hello":"world"}';
      outcome.expect(
        JSON.stringify(outcome.result.result) === wanted,
        `the result is ${wanted}`,
        'the last line of output',
      );
    },
  },
  {
    id: 'input',
    name: 'the input comes by standard input, by PAYLOAD_FILE and by PAYLOAD',
    run: (kit) => expectInput(kit, 'input', true),
  },
  {
    id: 'input-unicode',
    name: 'input in other scripts comes as it was sent',
    run: (kit) => expectInput(kit, 'input Grüße, 世界 👋', true),
  },
  {
    id: 'input-large',
    name: 'an input of 1 MiB comes whole',
    // Two bytes for the quotes. So much is no variable of an environment.
    run: (kit) => expectInput(kit, 'input '.padEnd(LARGE_BYTES - 2, 'x'), false),
  },
  {
    id: 'environment',
    name: 'the job finds its ids in the environment',
    async run(kit) {
      for (const name of ['JOB_ID', 'FUNCTION_ID', 'OUTPUT_DIR']) {
        const outcome = await kit.script(`env ${name}`);
        const wanted = { JOB_ID: outcome.result.requestId, FUNCTION_ID, OUTPUT_DIR: '/output' }[name] ?? '';
        outcome.expectSuccess('the operation "env" of the script');
        outcome.expect(outcome.result.stdout.trim() === wanted, `it prints ${shown(wanted)}`, COMMAND);
      }
    },
  },
  {
    id: 'exit-code',
    name: 'streams are kept apart and the exit code is the program’s',
    async run(kit) {
      for (const exitCode of [0, 7]) {
        const outcome = await kit.script(`exit ${exitCode}`);
        outcome.expect(outcome.result.exitCode === exitCode, `the exit code is ${exitCode}`, COMMAND);
        outcome.expectStdout('out\n', COMMAND);
        outcome.expect(outcome.result.stderr === 'err\n', 'standard error is "err\\n"', COMMAND);
      }
    },
  },
  {
    id: 'unicode',
    name: 'text in other scripts comes back as it was printed',
    async run(kit) {
      const text = 'Grüße, 世界 👋';
      const outcome = await kit.script(`print ${text}`);
      outcome.expectSuccess('the operation "print" of the script');
      outcome.expectStdout(`${text}\n`, 'the locale and the encoding of standard output (`env: { LANG: "C.UTF-8" }`)');
    },
  },
  {
    id: 'files',
    name: 'files in /output are stored, in folders, empty ones, and with every byte',
    async run(kit) {
      const outcome = await kit.script('files');
      outcome.expectSuccess('the operation "files" of the script');
      const files = await kit.outputs(outcome);
      const names = Object.keys(files).sort();
      const wanted = ['a/b/bytes', 'empty'];
      outcome.expect(
        shown(names) === shown(wanted),
        `the output files are ${shown(wanted)}`,
        `there are ${shown(names)}`,
      );
      outcome.expect(files.empty?.length === 0, '/output/empty is empty', 'the operation "files" of the script');
      const same = files['a/b/bytes']?.equals(BYTES) === true;
      outcome.expect(same, '/output/a/b/bytes has the bytes 0 to 255', `it has ${files['a/b/bytes']?.toString('hex')}`);
      // What is no text is replaced in the result, which is JSON.
      outcome.expectStdout(
        new TextDecoder().decode(BYTES),
        'bytes on standard output must leave the program as they are',
      );
    },
  },
  {
    id: 'flood',
    name: 'output above the cap is cut, and the result says so',
    async run(kit) {
      const outcome = await kit.script(`flood ${3 * LARGE_BYTES}`);
      outcome.expectSuccess('the operation "flood" of the script');
      const { stdout, stdoutTruncated } = outcome.result;
      const cut = stdoutTruncated === true && stdout === 'x'.repeat(LARGE_BYTES);
      outcome.expect(
        cut,
        'standard output is 1 MiB of "x", and stdoutTruncated is true',
        `there are ${stdout.length} bytes`,
      );
    },
  },
  {
    id: 'entrypoint-missing',
    name: 'code without an entry point is refused',
    async run(kit) {
      const outcome = await kit.run({ 'kit.unknown': 'nothing that runs' });
      outcome.expectFailure('NG_ENTRYPOINT_MISSING', '`entrypoints`: it must name the files that a script begins with');
    },
  },
];
