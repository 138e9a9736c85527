/** The AWS SDK's own clients for a service that a test has started, with credentials that every emulator takes. Owns no state. */

import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';

export const REGION = 'ap-northeast-2';

/** What a process needs in its environment to use the SDK with an emulator, and with nothing of this machine's own. */
export const AWS_ENVIRONMENT = Object.freeze({
  AWS_REGION: REGION,
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test-secret',
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_CONFIG_FILE: '/nonexistent',
  AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
});

const credentials = {
  accessKeyId: AWS_ENVIRONMENT.AWS_ACCESS_KEY_ID,
  secretAccessKey: AWS_ENVIRONMENT.AWS_SECRET_ACCESS_KEY,
};

/** `endpoint` is the emulator's, or that of a proxy before it. */
export function sqsClient(endpoint: string, maxAttempts = 3): SQSClient {
  return new SQSClient({ endpoint, region: REGION, credentials, maxAttempts, useQueueUrlAsEndpoint: false });
}

export function s3Client(endpoint: string, maxAttempts = 3): S3Client {
  return new S3Client({ endpoint, region: REGION, credentials, maxAttempts, forcePathStyle: true });
}

export function cloudWatchClient(endpoint: string): CloudWatchClient {
  return new CloudWatchClient({ endpoint, region: REGION, credentials });
}

export function dynamoDbClient(endpoint: string): DynamoDBClient {
  return new DynamoDBClient({ endpoint, region: REGION, credentials });
}
