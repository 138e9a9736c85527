/** The schemas of requests and answers: what is checked, and what `/openapi.json` shows. Owns no state. */

const id = { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$' } as const;
const anything = {} as const;
const callbackUrl = { type: 'string' } as const;

const error = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message'],
      additionalProperties: true,
      properties: {
        code: { type: 'string', description: 'Stable: of the API (`NOT_FOUND`), or an `NG_…` code.' },
        message: { type: 'string', description: 'One sentence.' },
      },
    },
  },
  additionalProperties: true,
} as const;

/** What every route may answer. */
const refusals = { '4xx': error, '5xx': error } as const;

const open = (properties: object, description: string) => ({
  type: 'object',
  description,
  additionalProperties: true,
  properties,
});

const result = open(
  {
    job_id: { type: 'string' },
    requestId: { type: 'string' },
    status: { type: 'string' },
    result: anything,
    output_files: { type: 'array', items: { type: 'string' } },
    outputFiles: { type: 'array', items: { type: 'string' } },
    callback: {
      type: 'object',
      description:
        'What became of the callback, where one was asked for: `waiting`, `retrying`, `delivered` or `failed`.',
      additionalProperties: true,
      properties: { state: { type: 'string' }, attempts: { type: 'integer' } },
    },
  },
  'The result, with the names of the form that was asked in.',
);

const fn = open(
  {
    function_id: { type: 'string' },
    function_name: { type: 'string' },
    s3_key: { type: 'string' },
    runtime: { type: 'string' },
    handler: { type: ['string', 'null'] },
    timeout: { type: 'number', description: 'Seconds.' },
    memory_mb: { type: ['number', 'null'] },
    env: { type: 'array', items: { type: 'string' }, description: 'Names of its variables.' },
    version: { type: 'integer' },
    code_sha256: { type: 'string' },
    code_bytes: { type: 'integer' },
    created_at: { type: 'string' },
    updated_at: { type: 'string' },
  },
  'A registered function.',
);

export const healthSchema = {
  summary: 'Whether requests can be served',
  security: [],
  response: {
    200: { type: 'object', properties: { status: { type: 'string', const: 'healthy' } } },
    503: {
      type: 'object',
      properties: {
        status: { type: 'string', const: 'unhealthy' },
        failing: { type: 'object', additionalProperties: { type: 'string' } },
      },
    },
  },
} as const;

export const runSchema = {
  summary: 'Run a function',
  description:
    'Waits for the result. A function that failed is still answered with 200: `status` says so. With `X-Async: true` the answer comes at once.',
  headers: {
    type: 'object',
    properties: {
      'x-async': { type: 'string', description: '`true` answers 202 at once.' },
      'idempotency-key': { type: 'string', description: 'The same key gives the answer of the first request.' },
      traceparent: { type: 'string', description: 'Trace that the job becomes part of.' },
    },
  },
  body: {
    type: 'object',
    properties: {
      function_id: { ...id, description: 'With `payload`.' },
      payload: { ...anything, description: 'Input, any JSON.' },
      functionId: { ...id, description: 'The other form, with `inputData`.' },
      inputData: { ...anything, description: 'Input, any JSON.' },
      callback_url: {
        ...callbackUrl,
        description: 'With `function_id`: an https:// address that is told when the job ends.',
      },
      callbackUrl: { ...callbackUrl, description: 'The same, with `functionId`.' },
    },
  },
  response: {
    200: result,
    202: open({ job_id: { type: 'string' }, status: { type: 'string' }, message: { type: 'string' } }, 'Accepted.'),
    ...refusals,
  },
} as const;

export const uploadSchema = {
  summary: 'Register a function, or a new version of one',
  description:
    'The archive is checked as a worker checks it. Jobs that are handed in from then on run the new version.',
  consumes: ['multipart/form-data'],
  // For who reads the description: the route itself takes the body apart while it comes, and checks each field.
  body: {
    type: 'object',
    required: ['file', 'function_name', 'runtime'],
    properties: {
      file: { type: 'string', format: 'binary', description: 'A .zip, or one source file.' },
      function_name: { type: 'string', description: '1 to 128 letters, digits, blanks, `.`, `_` or `-`.' },
      runtime: { type: 'string', description: 'For instance `python` or `nodejs20.x`.' },
      handler: { type: 'string', description: '`file.function`; without one the entry point runs as a script.' },
      timeout: { type: 'number', default: 300, description: 'Seconds.' },
      memory_mb: { type: 'number', description: 'MiB.' },
      env: { type: 'string', description: 'Its variables, as a JSON object of texts.' },
      function_id: { ...id, description: 'The function that gets a new version; without one a new function is made.' },
    },
  },
  response: { 201: fn, ...refusals },
} as const;

const functionParams = { type: 'object', required: ['function_id'], properties: { function_id: id } } as const;
const jobParams = { type: 'object', required: ['job_id'], properties: { job_id: id } } as const;

export const functionsSchema = {
  summary: 'List functions',
  querystring: {
    type: 'object',
    additionalProperties: false,
    properties: {
      limit: { type: 'string', pattern: '^([1-9][0-9]{0,2}|1000)$', default: '100', description: '1 to 1,000.' },
      cursor: { ...id, description: 'Of the last page.' },
    },
  },
  response: {
    200: {
      type: 'object',
      properties: { functions: { type: 'array', items: fn }, cursor: { type: ['string', 'null'] } },
    },
    ...refusals,
  },
} as const;

export const functionSchema = {
  summary: 'One function',
  params: functionParams,
  response: { 200: fn, ...refusals },
} as const;

export const copyFunctionSchema = {
  summary: 'Register a copy of a function under another name',
  description: 'It has the code, the variables and the settings of the original but for what is given.',
  params: functionParams,
  body: {
    type: 'object',
    required: ['function_name'],
    additionalProperties: false,
    properties: {
      function_name: { type: 'string', description: '1 to 128 letters, digits, blanks, `.`, `_` or `-`.' },
      memory_mb: { type: 'number', description: 'MiB.' },
      timeout: { type: 'number', description: 'Seconds.' },
    },
  },
  response: { 201: fn, ...refusals },
} as const;

export const deleteFunctionSchema = {
  summary: 'Delete a function and its code',
  params: functionParams,
  response: { 204: { type: 'null', description: 'Deleted.' }, ...refusals },
} as const;

export const statusSchema = {
  summary: 'What became of a job',
  params: jobParams,
  response: { 200: result, ...refusals },
} as const;

export const cancelSchema = {
  summary: 'Take a job back',
  params: jobParams,
  response: {
    202: open(
      { job_id: { type: 'string' }, status: { type: 'string' }, message: { type: 'string' } },
      'It will be ended.',
    ),
    ...refusals,
  },
} as const;
