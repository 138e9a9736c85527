import { dynamodb } from '@nanogrid/plugin-dynamodb';
import { redis } from '@nanogrid/plugin-redis';
import { s3 } from '@nanogrid/plugin-s3';
import { sqs } from '@nanogrid/plugin-sqs';
import { cpp, defineConfig, go, node, python } from 'nanogrid';

const plugins = [sqs(), s3(), redis(), dynamodb()];
const runtimes = [python(), node(), cpp({ poolSize: 0 }), go({ poolSize: 0 })];
// What `nanogrid keys create --owner default` prints. Nobody has a key with the digest below: replace it.
const apiKeys = [{ id: 'ops', owner: 'default', hash: `sha256:${'0'.repeat(64)}` }];
export default defineConfig({ runtimes, plugins, controller: { host: '0.0.0.0', port: 3000, apiKeys } });
