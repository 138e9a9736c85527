/** The contract's table of outcomes, row by row, on the emulator fauxqs. */

import { describeOutcomes } from '../support/aws-outcomes.js';
import { startFauxqs } from '../support/services/fauxqs.js';

describeOutcomes('fauxqs', startFauxqs);
