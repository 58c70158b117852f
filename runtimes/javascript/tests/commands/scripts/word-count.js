#!/usr/bin/env node
const fs = require('fs');
const path = require('path');

function main() {
  const args = process.argv.slice(2);
  if (args.length < 1 || args.includes('--help')) {
    console.log(`Usage: ${path.basename(process.argv[1])} FILE [OUT]`);
    process.exit(args.includes('--help') ? 0 : 1);
  }
  const counts = {};
  for (const word of fs.readFileSync(args[0], 'utf-8').toLowerCase().match(/\p{L}+/gu) || []) counts[word] = (counts[word] || 0) + 1;
  const sorted = Object.entries(counts).sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  if (args[1]) { fs.mkdirSync(path.dirname(args[1]), { recursive: true }); fs.writeFileSync(args[1], JSON.stringify(Object.fromEntries(sorted), null, 2)); }
  sorted.slice(0, 3).forEach(([word, n], i) => console.log(`${String(i + 1).padStart(2)}. ${word.padEnd(10)} ${n.toLocaleString()}`));
}

if (require.main === module) main();
