/** The public entry point of `@nanogrid/controller`. */

export { hashApiKey, newApiKey } from './auth/new-key.js';
export { Controller, type ControllerOptions, type ControllerState } from './controller.js';
