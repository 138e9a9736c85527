/** The operations of the conformance kit, for Node. The script's input is a JSON string: an operation and its arguments. */

const { spawn } = require('node:child_process');
const { copyFileSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs');

const BYTES = Buffer.from(Array.from({ length: 256 }, (_, i) => i));

function bomb() {
  for (let i = 1; i < 1000; i++) {
    const child = spawn('sleep', ['20'], { stdio: 'ignore' }).on('error', () => {});
    if (child.pid === undefined) break;
    child.unref();
    console.log(i);
  }
}

function given(raw) {
  writeFileSync('/output/stdin', raw);
  copyFileSync(process.env.PAYLOAD_FILE, '/output/file');
  writeFileSync('/output/env', process.env.PAYLOAD ?? '');
}

function files() {
  mkdirSync('/output/a/b', { recursive: true });
  writeFileSync('/output/a/b/bytes', BYTES);
  writeFileSync('/output/empty', '');
  process.stdout.write(BYTES);
}

function read(path) {
  try {
    process.stdout.write(readFileSync(path));
  } catch {
    process.exit(1);
  }
}

/** Memory beside the heap, whose size is exact; filling it writes to every page. */
function hold(mib, ms) {
  const held = Buffer.alloc(mib * 2 ** 20, 'x');
  setTimeout(() => held.at(-1), ms);
}

function hang() {
  process.on('SIGTERM', () => {});
  console.log('hanging');
  spawn('sleep', ['60'], { stdio: 'inherit' });
  setTimeout(() => {}, 60_000);
}

function daemon() {
  const child = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
  child.unref();
  console.log(child.pid);
}

function script() {
  const raw = readFileSync(0);
  const [, op, rest] = /^(\S*) ?(.*)$/s.exec(JSON.parse(raw));
  if (op === 'hello') console.log('{"hello":"world"}');
  else if (op === 'print') console.log(rest);
  else if (op === 'env') console.log(process.env[rest]);
  else if (op === 'exit') {
    console.log('out');
    console.error('err');
    process.exit(Number(rest));
  } else if (op === 'input') given(raw);
  else if (op === 'files') files();
  else if (op === 'flood') process.stdout.write('x'.repeat(Number(rest)));
  else if (op === 'read') read(rest);
  else if (op === 'hold') hold(...rest.split(' ').map(Number));
  else if (op === 'hang') hang();
  else if (op === 'fork-bomb') bomb();
  else if (op === 'leave') {
    for (const place of ['.', '/tmp', '/var/tmp', '/dev/shm', '/output']) writeFileSync(`${place}/left`, 'left');
  } else if (op === 'daemon') daemon();
  else throw new Error(`unknown operation: ${op}`);
}

let count = 0;

exports.handler = async (event, context) => {
  if (event.op === 'value') return event.value;
  if (event.op === 'context') {
    return {
      jobId: context.jobId,
      functionId: context.functionId,
      memoryMb: context.memoryLimitInMB,
      remainingMs: context.getRemainingTimeInMillis(),
    };
  }
  if (event.op === 'fail') throw new Error(event.message);
  count += 1;
  return count;
};

if (require.main === module) script();
