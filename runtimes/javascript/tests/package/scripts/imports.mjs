import total, { sum } from './lib/sums.mjs';
import table from '../data/table.json' with { type: 'json' };
import plain, { name } from './lib/plain.cjs';
const { double } = await import('./lib/double.mjs');
console.log(JSON.stringify({ sum: sum(table.rows), total: total(table.rows), name, shout: plain.shout('hi'), four: double(2) }));
