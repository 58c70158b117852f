const path = require('node:path');
const { shout } = require('./helper');
module.exports = { name: path.basename(__filename), shout };
