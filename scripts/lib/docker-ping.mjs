/** Asks whether a Docker engine answers, with Node's own HTTP. Owns no state. */

import { existsSync, readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { homedir } from 'node:os';
import { join } from 'node:path';

const LOCAL_SOCKET = '/var/run/docker.sock';

/** The engine's address as the Docker client library finds it: `DOCKER_HOST`, Docker Desktop's socket, the system's. */
export function engineAddress(env = process.env) {
  if (env.DOCKER_HOST) return env.DOCKER_HOST.includes('://') ? env.DOCKER_HOST : `tcp://${env.DOCKER_HOST}`;
  if (process.platform === 'win32') return 'npipe:////./pipe/docker_engine';
  const desktop = join(homedir(), '.docker', 'run', 'docker.sock');
  return `unix://${existsSync(desktop) ? desktop : LOCAL_SOCKET}`;
}

/** Whether the address is the one that a `dockerd` started without options listens on. */
export function isLocalSocket(address) {
  return address === `unix://${LOCAL_SOCKET}` || address === 'unix:///run/docker.sock';
}

/**
 * @typedef {'up' | 'absent' | 'denied' | 'silent' | 'strange' | 'unchecked'} EngineState
 * `absent`: nobody listens. `denied`: this user may not. `silent`: it accepts, but does not answer in time.
 * `strange`: something else answers. `unchecked`: an address that only a Docker client can reach (`ssh://`).
 */

/**
 * @param {string} address
 * @param {number} [timeoutMs] how long the answer may take
 * @returns {Promise<{ state: EngineState, detail: string }>}
 */
export async function pingEngine(address, timeoutMs = 5000, env = process.env) {
  let target;
  try {
    target = targetOf(address, env);
  } catch (error) {
    return { state: 'strange', detail: error.message };
  }
  if (target === undefined) return { state: 'unchecked', detail: '' };
  return new Promise((resolve) => {
    const send = target.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send({ ...target, path: '/_ping', method: 'GET', agent: false }, (response) => {
      response.resume();
      const known = response.statusCode === 200 && response.headers['api-version'] !== undefined;
      finish(known ? 'up' : 'strange', `HTTP ${response.statusCode}`);
    });
    const timer = setTimeout(() => finish('silent', `no answer within ${timeoutMs / 1000} s`), timeoutMs);
    request.on('error', (error) => finish(stateOf(error), error.message));
    request.end();

    function finish(state, detail) {
      clearTimeout(timer);
      request.destroy();
      resolve({ state, detail });
    }
  });
}

function targetOf(address, env) {
  const url = new URL(address);
  if (url.protocol === 'unix:') return { socketPath: url.pathname };
  if (url.protocol === 'npipe:') return { socketPath: address.slice('npipe://'.length) };
  if (url.protocol === 'ssh:') return undefined;
  if (!['tcp:', 'http:', 'https:'].includes(url.protocol)) throw new Error(`${url.protocol}// is no engine's address`);
  const secure = url.protocol === 'https:' || url.port === '2376' || env.DOCKER_TLS_VERIFY === '1';
  const where = { host: url.hostname, port: Number(url.port || (secure ? 2376 : 2375)) };
  if (!secure) return { protocol: 'http:', ...where };
  const folder = env.DOCKER_CERT_PATH;
  const read = (name) => readFileSync(join(folder, name));
  const identity = folder ? { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') } : {};
  return { protocol: 'https:', ...where, ...identity };
}

function stateOf(error) {
  if (error.code === 'EACCES' || error.code === 'EPERM') return 'denied';
  const absent = ['ENOENT', 'ECONNREFUSED', 'ENOTSOCK', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ETIMEDOUT'];
  return absent.includes(error.code) ? 'absent' : 'strange';
}
