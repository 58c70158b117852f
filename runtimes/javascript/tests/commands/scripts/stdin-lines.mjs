import readline from 'node:readline';
const rl = readline.createInterface({ input: process.stdin, crlfDelay: Infinity });
let n = 0;
rl.on('line', (line) => { n += 1; console.log(n, JSON.stringify(line)); });
rl.on('close', () => console.log('closed', n, process.stdin.isTTY));
