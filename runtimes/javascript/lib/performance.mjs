// `performance`: the host's monotonic clock, counted from the start of the run.

import { now } from 'runtime:host';

let startedAt;
let origin;

// Called once per run, before the script.
export function beginClock() {
  startedAt = now();
  origin = Date.now();
}

let entries = [];

function record(entryType, name, startTime, duration, detail = null) {
  const entry = { name, entryType, startTime, duration, detail };
  entries.push(entry);
  return entry;
}

const elapsed = () => now() - startedAt;
const startOf = (mark, otherwise) => (typeof mark === 'number' ? mark : mark === undefined ? otherwise : entries.findLast((entry) => entry.name === mark)?.startTime ?? otherwise);

function measure(name, from, to) {
  const options = from !== null && typeof from === 'object' ? from : { start: from, end: to };
  const end = startOf(options.end, elapsed());
  const start = startOf(options.start, 0);
  return record('measure', name, start, options.duration ?? end - start, options.detail);
}

export const performance = {
  now: elapsed,
  get timeOrigin() { return origin; },
  mark: (name, options) => record('mark', name, options?.startTime ?? elapsed(), 0, options?.detail),
  measure,
  getEntries: () => [...entries],
  getEntriesByName: (name, type) => entries.filter((entry) => entry.name === name && (type === undefined || entry.entryType === type)),
  getEntriesByType: (type) => entries.filter((entry) => entry.entryType === type),
  clearMarks: (name) => { entries = entries.filter((entry) => entry.entryType !== 'mark' || (name !== undefined && entry.name !== name)); },
  clearMeasures: (name) => { entries = entries.filter((entry) => entry.entryType !== 'measure' || (name !== undefined && entry.name !== name)); },
  timerify: (call) => call,
  eventLoopUtilization: () => ({ idle: 0, active: 0, utilization: 0 }),
  toJSON: () => ({ timeOrigin: origin }),
};
