const data = require('fs').readFileSync(0, 'utf8');
console.log(data.split('\n').length, JSON.stringify(data), process.stdin.fd);
