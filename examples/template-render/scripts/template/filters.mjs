// What can stand after | in a template. A filter gets the value, its argument and `fail`, and answers the new value.

export const filters = {
  upper: (value) => String(value).toUpperCase(),
  lower: (value) => String(value).toLowerCase(),
  trim: (value) => String(value).trim(),
  json: (value) => JSON.stringify(value),
  default: (value, argument = '') => (value === undefined || value === null || value === '' ? argument : value),
  length: (value, _, fail) => (Array.isArray(value) || typeof value === 'string' ? value.length : fail('a list or a text')),
  join: (value, argument = ', ', fail) => (Array.isArray(value) ? value.join(argument) : fail('a list')),
  fixed(value, argument = '0', fail) {
    const digits = Number(argument);
    if (!Number.isInteger(digits) || digits < 0 || digits > 20) return fail('an argument from 0 to 20');
    return typeof value === 'number' ? value.toFixed(digits) : fail('a number');
  },
};

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

export const escapes = {
  none: (text) => text,
  html: (text) => text.replace(/[&<>"']/g, (character) => ENTITIES[character]),
};
