'use strict';
/**
 * The waiting Node process: boots ahead, waits for one job, becomes it. Its state is the job that it was given.
 *
 * Started as root by the supervisor, once for each job (docs/supervisor-protocol.md): descriptors 0 to 2 are the job's
 * streams, 3 takes a handler's value, 4 is the way to the supervisor. It drops to the job's user before it loads the
 * first byte of user code. A script is then started by Node's own start-up function; a handler is called, and the
 * process may be kept for the next call.
 */

const fs = require('node:fs');
const Module = require('node:module');
const { isMainThread } = require('node:worker_threads');

const RESULT = 3;
const CONTROL = 4;
const WORK_DIR = '/function';
const MAX_MESSAGE_BYTES = 512 << 10;
/** What Node, its libraries and the loader read when a process starts, so that setting it in a running one is too late. */
const READ_AT_START =
  /^(?:LD_|UV_|OPENSSL_|SSL_CERT_|MALLOC_|LC_|GLIBC_TUNABLES$|LANG$|LANGUAGE$|NODE_(?:COMPILE_CACHE|DEBUG|DEBUG_NATIVE|DISABLE_COLORS|DISABLE_COMPILE_CACHE|EXTRA_CA_CERTS|ICU_DATA|NO_WARNINGS|OPTIONS|PATH|PENDING_DEPRECATION|PRESERVE_SYMLINKS|PRESERVE_SYMLINKS_MAIN|REDIRECT_WARNINGS|USE_ENV_PROXY|USE_SYSTEM_CA|V8_COVERAGE)$)/;

// The job's code may replace any of these; what it replaces is its own matter, and not this file's.
const { readSync, writeSync, readFileSync, closeSync } = fs;
const { parse, stringify } = JSON;
const { exit } = process;
const now = () => Number(process.hrtime.bigint() / 1_000_000n);

/** The handler cannot be found, or returned what cannot be sent: told without a stack. */
class HandlerError extends Error {}

// --- the way to the supervisor ---

/** The next message's fields; none when the supervisor is gone. */
function receive() {
  const buffer = Buffer.allocUnsafeSlow(MAX_MESSAGE_BYTES);
  for (;;) {
    try {
      return buffer
        .toString('utf8', 0, readSync(CONTROL, buffer, 0, MAX_MESSAGE_BYTES, null))
        .split('\0')
        .slice(0, -1);
    } catch (error) {
      if (error.code !== 'EINTR') throw error;
    }
  }
}

function send(text) {
  writeSync(CONTROL, text);
}

function toJob([, entrypoint, handler, remainingMs, keep, ...pairs]) {
  const env = {};
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at > 0) env[pair.slice(0, at)] = pair.slice(at + 1);
  }
  const memoryMb = Number(env.NANOGRID_MEMORY_MB ?? 0); // for the context, not for the environment
  delete env.NANOGRID_MEMORY_MB;
  return { entrypoint, handler, deadline: now() + Number(remainingMs), keep: keep === '1', env, memoryMb };
}

// --- getting ready ---

/** The job's streams, made ahead. A write is done when it returns: nothing is lost when the process exits or is killed. */
function makeStreams() {
  for (const stream of [process.stdout, process.stderr]) {
    stream._handle?.setBlocking?.(true);
    stream.write('');
  }
}

/** What nearly every job does first is done once for nothing: the first time, its code must still be compiled. */
function warmUp() {
  const nothing = () => 0;
  const nowhere = { write: nothing, once: nothing, removeListener: nothing, listenerCount: nothing };
  new console.Console(nowhere).log('%s', '', {});
  setEnvironment({ PAYLOAD: '', PAYLOAD_FILE: '', JOB_ID: '', REQUEST_ID: '' }, []);
  setEnvironment({}, ['PAYLOAD', 'PAYLOAD_FILE', 'JOB_ID', 'REQUEST_ID']);
  readsAtStart({ LANG: process.env.LANG });
}

async function waitForJob() {
  for (;;) {
    const message = receive();
    if (message[0] === 'RUN') return toJob(message);
    if (message[0] !== 'BIND') exit(0);
    await require('./get-ready.cjs')();
    send('BOUND');
  }
}

// --- becoming the job ---

/** For good, and in every thread: the C library changes all of them. */
function dropPrivileges(uid) {
  process.setgroups([]);
  process.setgid(uid);
  process.setuid(uid);
  process.chdir(WORK_DIR);
}

/** Sets a job's environment: what the job before had, and this one has not, is taken out. */
function setEnvironment(env, before) {
  for (const name of before) if (!(name in env)) delete process.env[name];
  for (const name in env) process.env[name] = env[name];
}

/** Leaves no trace of this file where a program would look. */
function forgetShim() {
  for (const path of Object.keys(require.cache)) delete require.cache[path];
  process.mainModule = undefined;
  process.execArgv.length = 0;
}

/**
 * A script whose event loop is empty ends as by `process.exit`, without taking Node apart first. Its own listeners run
 * before.
 */
function endQuickly() {
  const last = () => {
    const code = process.exitCode ?? 0;
    if (process.listeners('exit').at(-1) === last) process.reallyExit(code);
  };
  process.on('beforeExit', () => process.removeListener('exit', last).on('exit', last));
}

/**
 * Starts Node anew where the job's environment holds what it reads at its start only. A handler's process needs a
 * descriptor beyond the three that survive `execve`, so it is a child, and is not kept. Never returns.
 */
function startAnew(job, path) {
  const env = { ...process.env, ...job.env };
  if (!job.handler && process.execve) process.execve(process.execPath, [process.execPath, path], env);
  const own = [__filename, stringify({ ...job, keep: false, env: Object.keys(job.env) })];
  const { spawnSync } = require('node:child_process');
  const { status, signal, error } = spawnSync(process.execPath, job.handler ? own : [path], {
    env,
    stdio: [0, 1, 2, RESULT],
  });
  if (error) throw error;
  if (signal) process.kill(process.pid, signal);
  exit(status ?? 1);
}

/** Whether Node would have to start anew to see all of this environment. */
function readsAtStart(env) {
  for (const name in env) if (READ_AT_START.test(name) && process.env[name] !== env[name]) return true;
  return false;
}

function becomeJob(job, uid) {
  dropPrivileges(uid);
  if (!(job.handler && job.keep)) closeSync(CONTROL);
  const path = `${WORK_DIR}/${job.entrypoint}`;
  if (readsAtStart(job.env)) startAnew(job, path);
  setEnvironment(job.env, []);
  run(job, path);
}

function run(job, path) {
  forgetShim();
  if (job.handler) {
    process.argv = [process.execPath, WORK_DIR];
    new HandlerProcess(job).call(job);
    return;
  }
  process.argv = [process.execPath, path];
  endQuickly();
  // Node's own start, from the event loop: so no frame of this file is in the program's stacks.
  setImmediate(Module.runMain, path);
}

// --- handlers ---

/** Calls one handler, once or again and again. Owns the handler's function once it is loaded. */
class HandlerProcess {
  #name;
  #function;
  #env = [];
  #job;
  #pending = false;

  constructor({ handler }) {
    this.#name = handler;
    // Nothing is left that could settle the promise.
    process.on('beforeExit', () => {
      if (this.#pending)
        this.#failed(new HandlerError(`handler '${this.#name}' never finished: nothing is left to wait for`));
    });
  }

  /** Every call in here that reaches user code is made by the event loop itself, so that its stacks show no other. */
  call(job) {
    this.#job = job;
    this.#env = Object.keys(job.env);
    this.#pending = true;
    const failed = (error) => this.#settle(job, () => this.#failed(error));
    const loaded = this.#function ? Promise.resolve(this.#function) : this.#load();
    loaded
      .then((found) => {
        this.#function = found;
        this.#invoke(job, failed);
      })
      .catch(failed);
  }

  async #load() {
    const dot = this.#name.lastIndexOf('.');
    const [file, name] = [this.#name.slice(0, dot), this.#name.slice(dot + 1)];
    const path = findModule(file);
    if (path === undefined) {
      throw new HandlerError(`handler '${this.#name}': there is no module '${file}' in the function's code`);
    }
    process.argv = [process.execPath, path];
    const loaded = await loadModule(path);
    const owner = typeof loaded?.[name] === 'function' ? loaded : loaded?.default;
    if (typeof owner?.[name] !== 'function') {
      throw new HandlerError(`handler '${this.#name}': module '${file}' has no function '${name}'`);
    }
    return { owner, callback: owner[name].length >= 3, name };
  }

  #invoke(job, failed) {
    const event = parse(readFileSync(process.env.PAYLOAD_FILE, 'utf8'));
    const { owner, callback, name } = this.#function;
    const done = (value) => this.#settle(job, () => this.#returned(value));
    const answer = (error, value) => (error ? failed(error) : done(value));
    Promise.resolve(answer)
      .then(owner[name].bind(owner, event, contextOf(job)))
      // A handler that takes a callback and returns nothing answers by it.
      .then((value) => (callback && value === undefined ? undefined : done(value)), failed);
  }

  /** The first answer counts, of the job that it belongs to. */
  #settle(job, answer) {
    if (!this.#pending || job !== this.#job) return;
    this.#pending = false;
    answer();
  }

  #returned(value) {
    let text;
    try {
      text = value === undefined ? 'null' : stringify(value);
      if (text === undefined) throw new TypeError(`a ${typeof value}`);
    } catch (error) {
      this.#failed(new HandlerError(`handler '${this.#name}' returned a value that is not JSON: ${error?.message}`));
      return;
    }
    writeAll(RESULT, text);
    this.#end(0);
  }

  #failed(error) {
    writeAll(2, `${describe(error)}\n`);
    this.#end(1);
  }

  #end(code) {
    if (!this.#job.keep) exit(code);
    const job = this.#next(code);
    process.chdir(WORK_DIR);
    setEnvironment(job.env, this.#env);
    this.call(job);
  }

  /** From here to the next job the process stands still: nothing of the event loop runs. */
  #next(code) {
    let message = [];
    try {
      send(`END ${code}`);
      message = receive();
    } catch {
      // The supervisor wants no further job of this process.
    }
    if (message[0] !== 'RUN') exit(code);
    return toJob(message);
  }
}

/** The file of `folder/file` or `folder.file`. */
function findModule(name) {
  for (const path of [name, name.replaceAll('.', '/')]) {
    for (const extension of ['.js', '.mjs', '.cjs']) {
      const file = `${WORK_DIR}/${path}${extension}`;
      if (fs.statSync(file, { throwIfNoEntry: false })?.isFile()) return file;
    }
  }
  return undefined;
}

function loadModule(path) {
  const load = (url) => import(url);
  const { href } = require('node:url').pathToFileURL(path);
  if (path.endsWith('.mjs')) return load(href);
  return Promise.resolve(path)
    .then(Module.createRequire(path))
    .catch((error) => {
      // A module of the newer kind that waits at its top level cannot be required.
      if (error?.code === 'ERR_REQUIRE_ASYNC_MODULE' || error?.code === 'ERR_REQUIRE_ESM') return load(href);
      throw error;
    });
}

/** What a handler knows about its own invocation. */
function contextOf({ deadline, memoryMb, env }) {
  const { JOB_ID: jobId = '', FUNCTION_ID: functionId = '' } = env;
  return {
    jobId,
    requestId: jobId,
    awsRequestId: jobId,
    functionId,
    functionName: functionId,
    memoryLimitInMB: memoryMb,
    callbackWaitsForEmptyEventLoop: false,
    getRemainingTimeInMillis: () => Math.max(0, deadline - now()),
  };
}

function describe(error) {
  if (error instanceof HandlerError) return error.message;
  const text =
    error instanceof Error ? require('node:util').inspect(error) : `Uncaught ${require('node:util').inspect(error)}`;
  return text
    .split('\n')
    .filter((line) => !line.includes(__filename))
    .join('\n');
}

function writeAll(fd, text) {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if (error.code !== 'EAGAIN' && error.code !== 'EINTR') throw error;
    }
  }
}

// --- here it starts ---

async function main() {
  makeStreams();
  if (process.argv.length > 2) {
    const { env, ...job } = parse(process.argv[2]);
    run({ ...job, env: Object.fromEntries(env.map((name) => [name, process.env[name]])) });
    return;
  }
  const uid = Number(process.env.NANOGRID_UID);
  for (const name of ['NANOGRID_UID', 'NANOGRID_PRELOAD']) delete process.env[name];
  warmUp();
  send(`READY ${process.versions.node}`);
  becomeJob(await waitForJob(), uid);
}

if (isMainThread) main();
