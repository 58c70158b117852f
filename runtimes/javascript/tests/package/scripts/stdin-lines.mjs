import readline from 'node:readline';
const lines = [];
for await (const line of readline.createInterface({ input: process.stdin })) lines.push(line);
console.log(JSON.stringify(lines));
