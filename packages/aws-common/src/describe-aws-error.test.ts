import { GetObjectCommand, HeadObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { expect, onTestFinished, test } from 'vitest';
import { clientConfig } from './client-options.js';
import { awsFailureKind, describeAwsError } from './describe-aws-error.js';
import { jsonError, s3Error, startService } from './service.test.util.js';

const credentials = { accessKeyId: 'AKIATEST', secretAccessKey: 'secret' };

function s3(endpoint: string, requestTimeoutMs = 5_000) {
  const config = clientConfig({ region: 'eu-west-1', endpoint, requestTimeoutMs });
  const client = new S3Client({ ...config, credentials, forcePathStyle: true, maxAttempts: 1 });
  onTestFinished(() => client.destroy());
  return client;
}

function sqs(endpoint: string, requestTimeoutMs = 5_000) {
  const client = new SQSClient({
    ...clientConfig({ region: 'eu-west-1', endpoint, requestTimeoutMs }),
    credentials,
    maxAttempts: 1,
  });
  onTestFinished(() => client.destroy());
  return client;
}

async function thrownBy(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => expect.unreachable('it did not throw'),
    (error: unknown) => error,
  );
}

const getObject = (endpoint: string) => s3(endpoint).send(new GetObjectCommand({ Bucket: 'code', Key: 'f.zip' }));
const headObject = (endpoint: string) => s3(endpoint).send(new HeadObjectCommand({ Bucket: 'code', Key: 'f.zip' }));
const receive = (endpoint: string) => sqs(endpoint).send(new ReceiveMessageCommand({ QueueUrl: `${endpoint}/1/jobs` }));

function describeIt(error: unknown, endpoint?: string) {
  return describeAwsError(error, {
    action: 'Reading',
    resource: 'codeBucket (from the environment variable S3_CODE_BUCKET)',
    region: 'eu-west-1',
    regionSource: 'region (the default)',
    endpoint,
    endpointSource: 'endpoint (from the environment variable AWS_ENDPOINT_URL)',
  });
}

test.each([
  ['InvalidAccessKeyId', 403, 'credentials', 'AWS_ACCESS_KEY_ID'],
  ['SignatureDoesNotMatch', 403, 'credentials', 'AWS_SECRET_ACCESS_KEY'],
  ['ExpiredToken', 400, 'credentials', 'AWS_SESSION_TOKEN'],
  ['RequestTimeTooSkewed', 403, 'credentials', 'clock'],
  ['AccessDenied', 403, 'denied', 'policy of the credentials'],
  ['NoSuchBucket', 404, 'missing', 'Make it, or correct codeBucket (from the environment variable S3_CODE_BUCKET)'],
  ['SlowDown', 503, 'throttled', 'Raise the quota'],
  ['InternalError', 500, 'unavailable', 'endpoint (from the environment variable AWS_ENDPOINT_URL)'],
  ['ServiceUnavailable', 503, 'unavailable', 'can be reached'],
  ['RequestTimeout', 400, 'timeout', 'can be reached'],
  ['InvalidBucketName', 400, 'invalid', 'codeBucket (from'],
])('S3 answers %s (HTTP %i)', async (code, status, kind, hint) => {
  const { url } = await startService(s3Error(status, code, 'The reason as S3 has it.'));
  const failure = describeIt(await thrownBy(getObject(url)), url);
  expect(failure).toMatchObject({
    kind,
    message: `Reading failed: ${code}: The reason as S3 has it (HTTP ${status}).`,
    hint: expect.stringContaining(hint),
  });
});

test('the region that S3 names is in the hint, from the error or from its header', async () => {
  const malformed = s3Error(400, 'AuthorizationHeaderMalformed', 'Wrong region.', '<Region>us-west-2</Region>');
  const told = describeIt(await thrownBy(getObject((await startService(malformed)).url)));
  expect(told).toMatchObject({ kind: 'region', hint: 'It lives in us-west-2: correct region (the default).' });
  const { url } = await startService((_request, response) => {
    response.writeHead(301, { 'x-amz-bucket-region': 'ap-south-1' });
    response.end();
  });
  const redirected = describeIt(await thrownBy(headObject(url)));
  expect(redirected).toMatchObject({ kind: 'region', hint: expect.stringContaining('It lives in ap-south-1') });
  const silent = await startService(s3Error(301, 'PermanentRedirect', 'Elsewhere.'));
  expect(describeIt(await thrownBy(getObject(silent.url))).hint).toContain('another region than eu-west-1');
});

test.each([
  [403, 'denied', 'Reading failed: the answer was HTTP 403.'],
  [404, 'missing', 'Reading failed: NotFound (HTTP 404).'],
  [400, 'invalid', 'Reading failed: the answer was HTTP 400.'],
  [429, 'throttled', 'Reading failed: the answer was HTTP 429.'],
  [500, 'unavailable', 'Reading failed: the answer was HTTP 500.'],
  [503, 'unavailable', 'Reading failed: the answer was HTTP 503.'],
])('an answer without a body: HTTP %i', async (status, kind, message) => {
  const { url } = await startService((_request, response) => void response.writeHead(status).end());
  expect(describeIt(await thrownBy(headObject(url)))).toMatchObject({ kind, message });
});

test.each([
  ['com.amazonaws.sqs#QueueDoesNotExist', 400, 'missing'],
  ['com.amazon.coral.service#InvalidClientTokenIdException', 403, 'credentials'],
  ['com.amazon.coral.service#AccessDeniedException', 400, 'denied'],
  ['com.amazonaws.sqs#RequestThrottled', 400, 'throttled'],
  ['com.amazon.coral.service#ThrottlingException', 400, 'throttled'],
  ['com.amazonaws.sqs#InternalFailure', 500, 'unavailable'],
])('SQS answers %s', async (type, status, kind) => {
  const { url } = await startService(jsonError(status, type, 'The reason as SQS has it.'));
  const failure = describeIt(await thrownBy(receive(url)));
  expect(failure).toMatchObject({ kind, message: expect.stringContaining('The reason as SQS has it (HTTP') });
});

test('nobody listens: the address and where it comes from', async () => {
  const { url } = await startService(() => {});
  const closed = url.replace(/\d+$/, '1');
  const failure = describeIt(await thrownBy(getObject(closed)), closed);
  expect(failure).toMatchObject({ kind: 'unavailable', message: expect.stringContaining('ECONNREFUSED') });
  expect(failure.hint).toBe(
    `Check that ${closed} can be reached from here: network, proxy, endpoint (from the environment variable AWS_ENDPOINT_URL).`,
  );
  expect(describeIt(await thrownBy(getObject(closed))).hint).toContain('AWS in eu-west-1');
});

test('a service that never answers, and one that stops in the middle of an answer, are timed out', async () => {
  const mute = await startService(() => {});
  const kinds = [];
  kinds.push(
    awsFailureKind(await thrownBy(sqs(mute.url, 200).send(new ReceiveMessageCommand({ QueueUrl: mute.url })))),
  );
  const half = await startService((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0', 'content-length': '100' });
    response.write('{"Messages":[');
  });
  kinds.push(
    awsFailureKind(await thrownBy(sqs(half.url, 200).send(new ReceiveMessageCommand({ QueueUrl: half.url })))),
  );
  expect(kinds).toEqual(['timeout', 'timeout']);
});

test('a connection that is cut is no verdict on the request', async () => {
  const { url } = await startService((request) => void request.socket.destroy());
  expect(describeIt(await thrownBy(receive(url)))).toMatchObject({
    kind: 'unavailable',
    message: expect.stringContaining('ECONNRESET'),
  });
});

test("a proxy's page instead of an answer is one short line", async () => {
  const { url } = await startService((_request, response) => {
    response.writeHead(502, { 'content-type': 'text/html' });
    response.end(`<html>\n<body>Bad\u001b[31m gateway</body>\n${'x'.repeat(5_000)}</html>`);
  });
  for (const error of [await thrownBy(getObject(url)), await thrownBy(receive(url))]) {
    const { kind, message } = describeIt(error);
    expect(kind).toBe('unavailable');
    expect(message).toContain('HTTP 502');
    for (const never of ['\n', '\u001b', '$response']) expect(message).not.toContain(never);
    expect(message.length).toBeLessThan(600);
  }
});

test('no credentials at all', async () => {
  const { url } = await startService(() => {});
  const client = new S3Client({
    ...clientConfig({ region: 'eu-west-1', endpoint: url, requestTimeoutMs: 1_000 }),
    credentials: async () => {
      throw Object.assign(new Error('Could not load credentials from any providers'), {
        name: 'CredentialsProviderError',
      });
    },
  });
  onTestFinished(() => client.destroy());
  const error = await thrownBy(client.send(new GetObjectCommand({ Bucket: 'code', Key: 'f' })));
  expect(describeIt(error)).toMatchObject({ kind: 'credentials' });
});

test.each([[undefined], [null], ['text'], [new Error('')], [{}], [{ name: 7, $metadata: { httpStatusCode: 'x' } }]])(
  'whatever is thrown is told: %j',
  (thrown) => {
    expect(describeIt(thrown)).toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/^Reading failed: .+\.$/),
    });
  },
);
