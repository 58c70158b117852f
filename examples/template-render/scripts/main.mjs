// Fills a template with data. JSON on standard input, JSON on standard output.

import { readFileSync } from 'node:fs';
import { parse } from './template/parse.mjs';
import { render } from './template/render.mjs';
import { TemplateError } from './template/error.mjs';

function run({ template, data, escape = 'none' }) {
  if (typeof template !== 'string') throw new TemplateError('`template` must be a text');
  if (data === null || typeof data !== 'object' || Array.isArray(data)) throw new TemplateError('`data` must be an object');
  if (escape !== 'none' && escape !== 'html') throw new TemplateError('`escape` must be none or html');
  return render(parse(template), data, escape);
}

try {
  console.log(JSON.stringify(run(JSON.parse(readFileSync(0, 'utf8')))));
} catch (error) {
  if (!(error instanceof TemplateError)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 2;
}
