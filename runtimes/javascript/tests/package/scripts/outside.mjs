import { readFileSync } from 'node:fs';
let code;
try { readFileSync('../../../etc/passwd'); } catch (error) { code = error.code; }
console.log(JSON.stringify(code));
