import { sum } from './lib/sums.mjs';
console.log(JSON.stringify(await Promise.resolve(sum([1, 2]))));
