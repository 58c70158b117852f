import { createInterface } from 'node:readline/promises';
const rl = createInterface({ input: process.stdin, output: process.stdout });
const answer = await rl.question('Name? ');
console.log(`Hello ${answer}`);
rl.close();
