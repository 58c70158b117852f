import { double } from './double.mjs';
export const sum = (list) => list.reduce((a, b) => a + b, 0);
export default (list) => double(sum(list));
