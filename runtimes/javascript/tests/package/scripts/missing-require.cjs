let name;
try { require('left-pad'); } catch (error) { name = error.code; }
console.log(JSON.stringify(name));
