/** What a function may reach: nothing, the LLM service alone, or the outside within its bounds. On real networks. */

import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { createDockerClient, DockerEngine, definePlugin } from '@nanogrid/core';
import { python } from '@nanogrid/runtime-python';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Outside, startOutside } from '../support/outside.js';
import { shell } from '../support/shell-runtime.js';
import { startTestWorker, type TestWorker } from '../support/test-worker.js';

const docker = createDockerClient(undefined);
const base = { version: '1.0.0', core: '^0.1.0', optionsSchema: { type: 'object', properties: {} } } as const;
let outside: Outside;
let service: Server;
let endpoint: string;
let worker: TestWorker;
let asked: { url: string | undefined; authorization: string | undefined; bytes: number }[] = [];

/** Tries each address of its input, and says what came of it. */
const REACH = {
  'main.py': `
import json, socket, sys
found = {}
for host, port in json.load(sys.stdin):
    try:
        with socket.create_connection((host, port), timeout=10) as s:
            found[host] = s.recv(100).decode() or "connected"
    except socket.timeout:
        found[host] = "timeout"
    except OSError as e:
        found[host] = e.strerror or str(e)
print(json.dumps(found))`,
};
const reach = async (functionId: string, addresses: readonly (readonly [string, number])[]) => {
  const result = await worker.run(REACH, { functionId, input: addresses });
  expect(result.stderr).toBe('');
  return result.result as Record<string, string>;
};
const METADATA = ['169.254.169.254', '169.254.170.2', '168.63.129.16', '100.100.100.200', '192.0.0.192'];
const PRIVATE = ['10.0.0.1', '172.17.0.1', '172.31.255.254', '192.168.0.1', '100.64.0.1', '198.18.0.1', '224.0.0.1'];

beforeAll(async () => {
  outside = await startOutside();
  service = createServer(async (request, response) => {
    let bytes = 0;
    try {
      for await (const chunk of request) bytes += chunk.length;
    } catch {
      return; // the job ended in the middle of its request
    }
    asked.push({ url: request.url, authorization: request.headers.authorization, bytes });
    response.end(JSON.stringify({ answer: 'x'.repeat(Number(request.headers['x-size'] ?? 3)) }));
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  endpoint = `127.0.0.1:${(service.address() as AddressInfo).port}`;
  worker = await startTestWorker({
    runtimes: [python(), shell],
    settings: {
      aiEndpoint: `http://me:secret@${endpoint}/v1`,
      network: { grants: { out: 'internet', out2: 'internet', llm: 'ai' }, deny: ['203.0.113.250'] },
    },
  });
});

afterAll(async () => {
  await worker?.close();
  await new Promise((resolve) => service?.close(resolve));
  await outside?.close();
});

describe('without a grant', () => {
  test('nothing can be reached, and there is no way to try', async () => {
    const all = [outside.address, ...METADATA, ...PRIVATE].map((host) => [host, 7] as const);
    const found = await reach('closed', all);
    expect(new Set(Object.values(found))).toEqual(new Set(['Network is unreachable']));
    const { stdout } = await worker.run({ 'main.sh': 'ls /sys/class/net; echo "$AI_ENDPOINT"' }, { runtime: 'shell' });
    expect(stdout).toBe(`lo\nhttp://${endpoint}/v1\n`);
  });

  test('the port of the LLM service answers nobody', async () => {
    expect(await reach('closed', [['127.0.0.1', 61_434]])).toEqual({ '127.0.0.1': 'Connection refused' });
  });
});

describe('with the LLM service alone', () => {
  const call = (rest: string) => ({
    'main.py': `
import json, os, urllib.error, urllib.request
from concurrent.futures import ThreadPoolExecutor
base = os.environ["AI_ENDPOINT"]
def ask(path, body=None, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(base + path, body, headers)) as answer:
            return [answer.status, len(answer.read())]
    except urllib.error.HTTPError as error:
        return [error.code, 0]
${rest}`,
  });

  test('it is reached, large requests and answers whole, its credentials are not seen', async () => {
    asked = [];
    const code = call('print(json.dumps([base, ask("/chat", b"q" * 3_000_000, **{"X-Size": "3000000"})]))');
    const result = await worker.run(code, { functionId: 'llm' });
    expect(result.result).toEqual(['http://127.0.0.1:61434/v1', [200, 3_000_013]]);
    const authorization = `Basic ${Buffer.from('me:secret').toString('base64')}`;
    expect(asked).toEqual([{ url: '/v1/chat', authorization, bytes: 3_000_000 }]);
  });

  test('40 requests, 20 at once, each get their own answer', async () => {
    const code = call(
      'sizes = list(range(1000, 41000, 1000))\n' +
        'with ThreadPoolExecutor(20) as pool:\n' +
        '    print(json.dumps(list(pool.map(lambda n: ask("/n", b"q", **{"X-Size": str(n)})[1], sizes))))',
    );
    const { result } = await worker.run(code, { functionId: 'llm' });
    expect(result).toEqual(Array.from({ length: 40 }, (_, i) => 1000 * (i + 1) + 13));
  });

  test('but nothing else: not another path of it, not another address', async () => {
    asked = [];
    const { result } = await worker.run(call('base = base[:-3]\nprint(json.dumps(ask("/admin")))'), {
      functionId: 'llm',
    });
    expect(result).toEqual([403, 0]);
    expect(asked).toEqual([]);
    const found = await reach(
      'llm',
      [outside.address, ...METADATA, ...PRIVATE].map((host) => [host, 7] as const),
    );
    expect(new Set(Object.values(found))).toEqual(new Set(['Network is unreachable']));
  });

  test('connections end with the job, even those it leaves open, and the next job’s work', async () => {
    const code = {
      'main.py': `
import os, socket
held = [socket.create_connection(("127.0.0.1", 61434)) for _ in range(30)]
held[0].sendall(b"POST /v1/x HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 1000000\\r\\n\\r\\nsome")
print(len(held))
os._exit(0)`,
    };
    const key = await worker.put(code);
    for (let i = 0; i < 5; i++) {
      const result = await worker.run(undefined, { key, functionId: 'llm' });
      expect(result).toMatchObject({ status: 'SUCCESS', stdout: '30\n', attempt: 1 });
      if (i > 0) expect(result.phases.start).toBe('reused');
    }
    const { result } = await worker.run(call('print(json.dumps(ask("/y")))'), { functionId: 'llm' });
    expect(result).toEqual([200, 16]);
  });

  test('a job that floods it and reads nothing is held back, and ends at its limit', async () => {
    const code = {
      'main.py': `
import socket
ask = b"POST /v1/x HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 1000000000\\r\\nX-Size: 100000\\r\\n\\r\\n"
while True:
    # The service may close a connection as soon as it has answered.
    try:
        s = socket.create_connection(("127.0.0.1", 61434))
        while True: s.sendall(ask * 1000)
    except OSError: pass`,
    };
    const before = process.memoryUsage().rss;
    const result = await worker.run(code, { functionId: 'llm', timeoutMs: 2000 });
    expect(result.errorCode).toBe('NG_TIMEOUT');
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20);
  });
});

describe('with the outside', () => {
  test('public addresses are reached', async () => {
    expect(await reach('out', [[outside.address, 7]])).toEqual({ [outside.address]: 'outside\n' });
  });

  test('metadata addresses, private ranges, the gateway and every address of the host are refused', async () => {
    const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    const host = own.filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) => address);
    expect(host.length).toBeGreaterThan(1);
    const refused = [...METADATA, ...PRIVATE, ...host, '203.0.113.250'];
    const found = await reach(
      'out',
      refused.map((address) => [address, 7] as const),
    );
    for (const address of refused)
      expect(found[address], address).toMatch(/^Permission denied|Network is unreachable$/);
  });

  test('siblings are refused, on their network and by name', async () => {
    // The same code twice, so that both runs are in one container: it tells its address, then it listens.
    const key = await worker.put({
      'main.py': `
import json, socket, sys, time
if json.load(sys.stdin) == "address":
    print(json.dumps(socket.gethostbyname(socket.gethostname())))
    sys.exit()
s = socket.create_server(("0.0.0.0", 7777))
s.settimeout(1)
end = time.monotonic() + 4
while time.monotonic() < end:
    try: s.accept(); print("VISITED", flush=True)
    except socket.timeout: pass`,
    });
    const address = await worker.run(undefined, { key, functionId: 'out2', input: 'address' });
    const listening = await worker.submit(undefined, { key, functionId: 'out2', input: 'listen' });
    const sibling = address.result as string;
    expect(sibling).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    expect(await reach('out', [[sibling, 7777]])).toEqual({ [sibling]: 'Permission denied' });
    const { stdout, phases } = await worker.result(listening);
    expect({ stdout, start: phases.start }).toEqual({ stdout: '', start: 'reused' });
  });

  test('the supervisor itself has given up the right to change routes, and so has what it started', async () => {
    await reach('out', []);
    const list = await docker.listContainers({
      filters: { network: ['nanogrid-egress'], label: ['nanogrid.role=job'] },
    });
    const own = list.filter(({ Labels }) => Labels['nanogrid.process']?.startsWith(`${process.pid}.`));
    expect(own.length).toBeGreaterThan(0);
    for (const { Id } of own) {
      const processes = async () => (await docker.getContainer(Id).top({ ps_args: '-eo pid' })).Processes;
      // Beside the supervisor the process that waits for the next job, which may be on its way.
      await expect.poll(async () => (await processes()).length).toBeGreaterThanOrEqual(2);
      for (const [pid] of await processes()) {
        // One of the job before may end just now.
        const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
        if (status === '') continue;
        expect(status).toMatch(/^CapEff:\t(0{16}|0{14}e0)$/m);
        expect(status).toMatch(/^CapPrm:\t(0{16}|0{14}e0)$/m);
      }
    }
  });

  test('user code has no capability, and cannot change a route', async () => {
    const code = {
      'main.py': `
import json, socket, struct
caps = {l.split()[0]: l.split()[1] for l in open("/proc/self/status") if l.startswith("Cap")}
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
# RTM_DELROUTE of 169.254.0.0/16
rt = struct.pack("BBBBBBBBI", 2, 16, 0, 0, 254, 0, 255, 0, 0) + struct.pack("HH4s", 8, 1, bytes([169, 254, 0, 0]))
s.send(struct.pack("IHHII", 16 + len(rt), 25, 5, 1, 0) + rt)
error = struct.unpack("i", s.recv(4096)[16:20])[0]
try: raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1) and "raw"
except PermissionError: raw = "refused"
print(json.dumps([caps["CapEff:"], caps["CapPrm:"], caps["CapInh:"], error, raw]))`,
    };
    const none = '0000000000000000';
    expect((await worker.run(code, { functionId: 'out' })).result).toEqual([none, none, none, -1, 'refused']);
  });

  test('the LLM service is reached too', async () => {
    const code = 'import os, urllib.request\nprint(urllib.request.urlopen(os.environ["AI_ENDPOINT"] + "/z").status)';
    expect((await worker.run({ 'main.py': code }, { functionId: 'out' })).result).toBe(200);
  });

  test('a plugin may grant it to one job', async () => {
    const plugin = definePlugin({
      ...base,
      name: 'opener',
      apply: ({ hooks }) =>
        hooks.beforeExec.tap('t', (spec, job) =>
          job.functionId === 'lucky' ? { ...spec, network: 'internet' } : spec,
        ),
    });
    await using own = await startTestWorker({ runtimes: [python()], plugins: [plugin()] });
    const input = [[outside.address, 7]];
    expect((await own.run(REACH, { functionId: 'lucky', input })).result).toEqual({ [outside.address]: 'outside\n' });
    const other = await own.run(REACH, { functionId: 'other', input });
    expect(other.result).toEqual({ [outside.address]: 'Network is unreachable' });
  });
});

test('a range that is allowed is reached, an address of the host in it is not', async () => {
  const other = await docker.createContainer({
    Image: 'debian:trixie-slim',
    Cmd: ['sleep', '600'],
    Labels: { 'nanogrid.test': 'network' },
    HostConfig: { AutoRemove: true },
  });
  await other.start();
  try {
    // Of the container: an engine that has just been installed does not name the gateway of its network.
    const { IPAddress = '', Gateway = '' } = (await other.inspect()).NetworkSettings.Networks.bridge ?? {};
    const subnet = Gateway.replace(/\.\d+\.\d+$/, '.0.0/16');
    await using own = await startTestWorker({
      runtimes: [python()],
      settings: { network: { grants: { '*': 'internet' }, allow: [subnet] } },
    });
    const result = await own.run(REACH, {
      input: [
        [IPAddress, 7],
        [Gateway, 7],
      ],
    });
    // The engine keeps its networks apart: the packet leaves the container, and no answer comes.
    expect(result.result).toEqual({ [IPAddress]: expect.not.stringMatching('denied'), [Gateway]: 'Permission denied' });
  } finally {
    await other.remove({ force: true });
  }
});

describe('where the bounds cannot be set the worker does not start, and says why', () => {
  test('a network that has IP version 6 too', async () => {
    const name = `nanogrid-test-${process.pid}`;
    const Subnet = `fd00:${(process.pid % 0xffff).toString(16)}::/64`;
    const network = await docker.createNetwork({ Name: name, EnableIPv6: true, IPAM: { Config: [{ Subnet }] } });
    try {
      const settings = { network: { grants: { x: 'internet' as const }, name } };
      await expect(startTestWorker({ runtimes: [shell], settings })).rejects.toMatchObject({
        code: 'NG_NETWORK_UNSAFE',
        message: expect.stringMatching(/version 6/),
      });
    } finally {
      await network.remove();
    }
  });

  test.each(['host', 'none', 'bridge'])('the engine’s own network %s', async (name) => {
    await expect(new DockerEngine(docker).ensureNetwork(name)).rejects.toMatchObject({ code: 'NG_NETWORK_UNSAFE' });
    const settings = { network: { grants: { x: 'internet' as const }, name } };
    await expect(startTestWorker({ runtimes: [shell], settings })).rejects.toMatchObject({ code: 'NG_CONFIG_INVALID' });
  });
});
