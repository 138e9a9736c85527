import { cloudwatch } from '@nanogrid/plugin-cloudwatch';
import { prometheus } from '@nanogrid/plugin-prometheus';
import { redis } from '@nanogrid/plugin-redis';
import { s3 } from '@nanogrid/plugin-s3';
import { sqs } from '@nanogrid/plugin-sqs';
import { cpp, defineConfig, go, node, python } from 'nanogrid';

const plugins = [sqs(), s3(), redis(), cloudwatch(), prometheus()];
const runtimes = [python(), node(), cpp({ poolSize: 0 }), go({ poolSize: 0 })];
export default defineConfig({ runtimes, plugins });
