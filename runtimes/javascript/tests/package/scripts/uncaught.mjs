import { inner } from './lib/throws.mjs';

function outer() {
  inner('value');
}

outer();
