const fs = require('fs');
const { shout } = require('./lib/helper');
const table = require('../data/table.json');
console.log(JSON.stringify([shout(JSON.parse(fs.readFileSync(0)).x), table.rows.length, __dirname, typeof module, this === exports]));
