console.log('1');
process.exit(42);
console.log('never');
