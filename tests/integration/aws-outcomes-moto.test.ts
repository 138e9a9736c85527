/** The contract's table of outcomes, row by row, on the emulator moto. */

import { describeOutcomes } from '../support/aws-outcomes.js';
import { startMoto } from '../support/services/moto.js';

describeOutcomes('moto', startMoto);
