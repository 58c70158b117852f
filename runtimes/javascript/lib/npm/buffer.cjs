module.exports = require('../buffer.mjs').buffer;
