process.exitCode = 3;
process.on('exit', (code) => console.error('leaving with', code));
console.log('1');
