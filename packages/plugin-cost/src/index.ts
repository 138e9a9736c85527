/** The public entry point of `@nanogrid/plugin-cost`. */

export { type CostOptions, cost, cost as default } from './cost.js';
export { LAMBDA_PRICES, type LambdaArchitecture, type LambdaPrices } from './lambda-price.js';
