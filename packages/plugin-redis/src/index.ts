/** The public entry point of `@nanogrid/plugin-redis`. */

import { redis } from './redis.js';

export type { ConnectionOptions } from './connection-options.js';
export { type OutboxSettings, RedisResults, type RedisResultsOptions } from './redis-results.js';
export type { RedisSharedState } from './redis-shared-state.js';
export { redis };
export default redis;
