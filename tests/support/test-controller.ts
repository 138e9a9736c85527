/** A controller for one test file, over the embedded twins of a test worker. */

import { Controller } from '@nanogrid/controller';
import { loadConfig, type Runtime, type Settings } from '@nanogrid/core';
import { local } from '@nanogrid/plugin-local';

export interface TestControllerOptions {
  readonly dataDir: string;
  readonly runtimes: readonly Runtime[];
  readonly settings?: Settings['controller'];
  readonly code?: Settings['code'];
}

/** Starts it on a free port of this machine; `close()` stops it. */
export async function startTestController({ dataDir, runtimes, settings, code = {} }: TestControllerOptions) {
  const loaded = await loadConfig({
    cwd: dataDir,
    overrides: { dataDir, runtimes, plugins: [local()], code, controller: { port: 0, ...settings } },
  });
  const controller = new Controller({ loaded });
  await controller.start();
  const { address } = controller;

  return { controller, address, ...apiAt(address), close: () => controller.stop() };
}

export type TestController = Awaited<ReturnType<typeof startTestController>>;

export interface ApiAnswer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  // biome-ignore lint/suspicious/noExplicitAny: whatever the API answered
  readonly answer: any;
}

/** Requests to a controller. */
export function apiAt(address: string) {
  async function call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<ApiAnswer> {
    const response = await fetch(address + path, {
      method,
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    });
    const text = await response.text();
    const answer = text === '' ? undefined : JSON.parse(text);
    return { status: response.status, headers: response.headers, answer };
  }

  async function upload(
    fields: Record<string, string>,
    file: Buffer | string,
    name = 'code.zip',
    headers: Record<string, string> = {},
  ) {
    const form = new FormData();
    for (const [field, value] of Object.entries(fields)) form.set(field, value);
    form.set('file', new Blob([file]), name);
    const response = await fetch(`${address}/upload`, { method: 'POST', body: form, headers });
    // biome-ignore lint/suspicious/noExplicitAny: whatever the API answered
    return { status: response.status, answer: (await response.json()) as any };
  }

  return { call, upload };
}
