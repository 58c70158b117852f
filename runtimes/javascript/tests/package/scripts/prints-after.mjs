console.log('{}');
console.log('more');
