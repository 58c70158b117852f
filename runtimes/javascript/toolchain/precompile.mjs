// node precompile.mjs RUNTIME.wasm OUTPUT: calls the export of src/precompile.c, with standard output in a file.

import { closeSync, openSync, readFileSync } from 'node:fs';
import { WASI } from 'node:wasi';

const [runtime, output] = process.argv.slice(2);
const stdout = openSync(output, 'w');
const wasi = new WASI({ version: 'preview1', stdout });
const { instance } = await WebAssembly.instantiate(readFileSync(runtime), wasi.getImportObject());
// node:wasi takes a module to have either this or `_start`.
const { memory, _initialize, precompile } = instance.exports;
wasi.initialize({ exports: { memory, _initialize } });
precompile();
closeSync(stdout);
