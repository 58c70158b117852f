import { parseArgs } from 'node:util';
console.log(process.argv, process.cwd(), import.meta.url, import.meta.filename, import.meta.dirname);
const options = { verbose: { type: 'boolean', short: 'v' }, out: { type: 'string', short: 'o', default: 'none' }, tag: { type: 'string', multiple: true } };
const { values, positionals, tokens } = parseArgs({ options, allowPositionals: true, tokens: true });
console.log({ ...values }, positionals, tokens.length);
for (const args of [['--nope'], ['--out'], ['--verbose=1'], ['-x']]) {
  try { parseArgs({ args, options }); } catch (error) { console.log(error.code, error.name, error.message); }
}
process.exitCode = values.verbose ? 3 : 0;
