/** Type tests, compiled with the project and never run: what an editor infers for a plugin's author and its user. */

import { definePlugin, type ExecSpec, type Job, type JobResult, type Plugin } from '@nanogrid/core';
import { expectTypeOf } from 'expect-type';

const audit = definePlugin({
  name: 'audit',
  version: '1.0.0',
  core: '^0.1.0',
  optionsSchema: {
    type: 'object',
    required: ['url', 'bucket'],
    properties: {
      url: { type: 'string' },
      bucket: { type: 'string' },
      port: { type: 'integer', default: 6379 },
      level: { type: 'string', enum: ['low', 'high'], default: 'low' },
      token: { type: 'string', secret: true },
      tags: { type: 'array', items: { type: 'string' } },
      retry: { type: 'object', required: ['attempts'], properties: { attempts: { type: 'integer' } } },
    },
  },
  env: { AUDIT_URL: 'url', AUDIT_TOKEN: 'token' },
  apply(host, options) {
    // Options with a default are always there; the others as `required` says.
    expectTypeOf(options.url).toEqualTypeOf<string>();
    expectTypeOf(options.port).toEqualTypeOf<number>();
    expectTypeOf(options.level).toEqualTypeOf<'low' | 'high'>();
    expectTypeOf(options.token).toEqualTypeOf<string | undefined>();
    expectTypeOf(options.tags).toEqualTypeOf<string[] | undefined>();
    expectTypeOf(options.retry).toEqualTypeOf<{ attempts: number } | undefined>();
    // @ts-expect-error: no such option
    options.prot;

    host.hooks.beforeFetch.tap('audit', (job) => {
      expectTypeOf(job).toEqualTypeOf<Job>();
      return { status: 'FAILED', errorMessage: 'no' };
    });
    host.hooks.beforeExec.tapPromise('audit', async (spec, job) => {
      expectTypeOf(spec).toEqualTypeOf<ExecSpec>();
      expectTypeOf(job).toEqualTypeOf<Job>();
      return { ...spec, timeoutMs: 1 };
    });
    host.hooks.afterExec.tap('audit', (result, report) => {
      expectTypeOf(result).toEqualTypeOf<JobResult>();
      expectTypeOf(report.workFiles).toEqualTypeOf<ReadonlyMap<string, Uint8Array>>();
      return result;
    });
    host.hooks.onResult.tap({ name: 'audit', required: true }, (result) => {
      expectTypeOf(result).toEqualTypeOf<Readonly<JobResult>>();
    });
    // @ts-expect-error: a spec must be returned
    host.hooks.beforeExec.tap('audit', () => 1);
    // @ts-expect-error: no such hook
    host.hooks.beforeRun;
    // @ts-expect-error: no such service
    host.provide('queue', {});
  },
});

// What has a default, or a variable, may be left out; so may everything, where the rest comes from nowhere else.
expectTypeOf(audit({ bucket: 'b' })).toEqualTypeOf<Plugin>();
audit({ url: 'u', bucket: 'b', port: 1, level: 'high', retry: { attempts: 2 } });
// @ts-expect-error: `bucket` is required, and no variable gives it
audit({ url: 'u' });
// @ts-expect-error: a typo
audit({ bucket: 'b', prot: 1 });
// @ts-expect-error: a typo further in
audit({ bucket: 'b', retry: { attempts: 1, attempt: 2 } });
// @ts-expect-error: a wrong type
audit({ bucket: 'b', port: '1' });
// @ts-expect-error: not one of the values
audit({ bucket: 'b', level: 'medium' });

const plain = definePlugin({
  name: 'plain',
  version: '1.0.0',
  core: '*',
  optionsSchema: { type: 'object', properties: {} },
  apply() {},
});
plain();
plain({});
// @ts-expect-error: it has no options
plain({ port: 1 });

definePlugin({
  name: 'bad-env',
  version: '1.0.0',
  core: '*',
  optionsSchema: { type: 'object', properties: { url: { type: 'string' } } },
  // @ts-expect-error: no such option
  env: { BAD_URL: 'ulr' },
  apply() {},
});
