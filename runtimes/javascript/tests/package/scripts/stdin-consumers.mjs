import { json } from 'node:stream/consumers';
console.log(JSON.stringify(await json(process.stdin)));
