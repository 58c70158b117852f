module.exports = require('../string-decoder.mjs');
