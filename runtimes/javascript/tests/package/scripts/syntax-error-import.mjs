import { one } from './lib/broken.mjs';
console.log(one);
