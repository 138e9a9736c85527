/** The public entry point of `@nanogrid/aws-common`. */

export { type ClientOptions, clientConfig, clientEnv, clientOptions } from './client-options.js';
export {
  type AwsFailure,
  type AwsFailureContext,
  type AwsFailureKind,
  awsFailureKind,
  describeAwsError,
} from './describe-aws-error.js';
