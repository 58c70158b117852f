import x from './lib/none.mjs';
