// What readable-stream needs of `process`; the standard streams are added when they exist.

import { nextTick } from '../ticks.mjs';

export const streamProcess = { env: {}, nextTick };
