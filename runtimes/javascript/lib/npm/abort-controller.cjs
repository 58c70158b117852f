module.exports = require('../events.mjs');
