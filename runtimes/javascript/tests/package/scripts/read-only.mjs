import fs from 'node:fs';
fs.writeFileSync('data/new.txt', 'x');
