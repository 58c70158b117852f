// `performance`: the host's monotonic clock, counted from the start of the run.

import { now } from 'runtime:host';

let startedAt;
let origin;

// Called once per run, before the script.
export function beginClock() {
  startedAt = now();
  origin = Date.now();
}

export const performance = {
  now: () => now() - startedAt,
  get timeOrigin() { return origin; },
  mark: () => undefined,
  measure: () => undefined,
  toJSON: () => ({ timeOrigin: origin }),
};
