import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
const text = readFileSync(new URL('../data/text.txt', import.meta.url), 'utf8');
console.log(JSON.stringify([import.meta.url, import.meta.filename, import.meta.dirname, fileURLToPath(import.meta.url), text]));
