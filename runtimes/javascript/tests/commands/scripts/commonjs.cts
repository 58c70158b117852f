const path: typeof import('node:path') = require('node:path');
type Pair = [number, string];
const pair: Pair = [1, 'a'];
module.exports = { pair };
console.log(path.basename(__filename).split('.')[0], pair, require('./typed/shapes').area({ kind: 'square', side: 2 }));
