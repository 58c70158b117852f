import { readFileSync } from 'node:fs';
const { text } = JSON.parse(readFileSync(0, 'utf8'));
const counts = {};
for (const [word] of text.toLowerCase().matchAll(/[\p{L}']+/gu)) counts[word] = (counts[word] ?? 0) + 1;
console.log(JSON.stringify({ counts }));
