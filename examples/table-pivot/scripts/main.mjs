// Builds a pivot table. JSON on standard input, JSON on standard output.

import { readFileSync } from 'node:fs';

/** What is wrong with the input, for the person who sent it. */
class InputError extends Error {}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/** How the values of a cell become one; all but the last two take numbers only. */
const MEASURES = {
  sum,
  mean: (numbers) => sum(numbers) / numbers.length,
  min: (numbers) => numbers.reduce((a, b) => Math.min(a, b)),
  max: (numbers) => numbers.reduce((a, b) => Math.max(a, b)),
  distinct: (values) => new Set(values).size,
  count: (values) => values.length,
};

const needsNumbers = (by) => by !== 'count' && by !== 'distinct';

function check({ records, down, across, measure }) {
  if (!Array.isArray(records)) throw new InputError('`records` must be a list');
  if (!Array.isArray(down) || down.length === 0) throw new InputError('`down` must name at least one field');
  if (!Object.hasOwn(MEASURES, measure?.by)) throw new InputError(`\`measure.by\` must be one of ${Object.keys(MEASURES).join(', ')}`);
  if (measure.by !== 'count' && measure.field === undefined) throw new InputError(`\`measure.field\` is missing; ${measure.by} needs it`);
  const known = new Set(records.flatMap(Object.keys));
  for (const field of [...down, across, measure.field]) {
    if (field !== undefined && records.length > 0 && !known.has(field)) {
      throw new InputError(`no record has the field "${field}"; there are ${[...known].sort().join(', ')}`);
    }
  }
}

/** Numbers by size, then texts and truth values by code point, then nothing. */
function compare(a, b) {
  const rank = (value) => (typeof value === 'number' ? 0 : value === null ? 2 : 1);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (typeof a === 'number') return a - b;
  return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
}

function compareLists(a, b) {
  return a.map((value, at) => compare(value, b[at])).find((order) => order !== 0) ?? 0;
}

/** Groups by what `keyOf` answers, sorted by it. */
function grouped(records, keyOf) {
  const groups = new Map();
  for (const record of records) {
    const key = keyOf(record);
    const id = JSON.stringify(key);
    if (!groups.has(id)) groups.set(id, { key, records: [] });
    groups.get(id).records.push(record);
  }
  return [...groups.values()].sort((a, b) => compareLists(a.key, b.key));
}

const fieldOf = (record, field) => record[field] ?? null;
const label = (value) => (value === null ? '(none)' : value);
const rounded = (number) => Number(number.toPrecision(12));

function pivot({ records, down, across, measure, totals = true }) {
  const { field, by } = measure;
  const usable = needsNumbers(by) ? records.filter((record) => typeof record[field] === 'number') : records;
  const cell = (some) => {
    const values = by === 'count' ? some : some.map((record) => fieldOf(record, field));
    return values.length === 0 ? null : rounded(MEASURES[by](values));
  };

  const keyOf = (record) => down.map((name) => fieldOf(record, name));
  const crossing = across === undefined ? [] : grouped(usable, (record) => [fieldOf(record, across)]).map(({ key }) => key[0]);
  const cells = (some) => [
    ...crossing.map((value) => cell(some.filter((record) => fieldOf(record, across) === value))),
    ...(across === undefined || totals ? [cell(some)] : []),
  ];

  const name = by === 'count' ? 'count' : `${by} of ${field}`;
  const columns = [...down, ...crossing.map((value) => String(label(value))), ...(across === undefined ? [name] : totals ? ['total'] : [])];
  const rows = grouped(usable, keyOf).map(({ key, records: some }) => [...key.map(label), ...cells(some)]);
  if (totals && rows.length > 0) rows.push([...down.map((_, at) => (at === 0 ? 'total' : '')), ...cells(usable)]);
  return { columns, rows, markdown: markdown(columns, rows, down.length), skipped: records.length - usable.length };
}

function markdown(columns, rows, labels) {
  const text = (value) => String(value ?? '').replaceAll('|', '\\|').replaceAll('\n', ' ');
  const line = (cells) => `| ${cells.map(text).join(' | ')} |`;
  const rule = `|${columns.map((_, at) => (at < labels ? '---' : '---:')).join('|')}|`;
  return [line(columns), rule, ...rows.map(line)].join('\n');
}

try {
  const request = JSON.parse(readFileSync(0, 'utf8'));
  check(request);
  console.log(JSON.stringify(pivot(request)));
} catch (error) {
  if (!(error instanceof InputError)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 2;
}
