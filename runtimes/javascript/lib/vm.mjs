// `node:vm`, in the one global scope that there is.

import { compileScript } from 'runtime:compile';

import { coded } from './errors.mjs';

const nameOf = (options) => (typeof options === 'string' ? options : options?.filename ?? 'evalmachine.<anonymous>');
const refuse = (what) => { throw coded('ERR_FEATURE_UNAVAILABLE_ON_PLATFORM', `vm.${what}() is not available: this runtime has one global scope; vm.runInThisContext() runs code in it`); };

class Script {
  #text;
  #name;

  constructor(text, options) {
    this.#text = String(text);
    this.#name = nameOf(options);
    // Tells of what is no program before it runs.
    compileScript(`(function () {${this.#text}\n})`, this.#name);
  }

  runInThisContext() { return compileScript(this.#text, this.#name); }
  runInNewContext() { return refuse('Script.runInNewContext'); }
  runInContext() { return refuse('Script.runInContext'); }
}

export const vm = {
  Script,
  runInThisContext: (text, options) => compileScript(String(text), nameOf(options)),
  runInNewContext: () => refuse('runInNewContext'),
  runInContext: () => refuse('runInContext'),
  createContext: () => refuse('createContext'),
  isContext: () => false,
  compileFunction: (text, names = [], options = undefined) => compileScript(`(function (${names.join(', ')}) {${text}\n})`, nameOf(options)),
};
