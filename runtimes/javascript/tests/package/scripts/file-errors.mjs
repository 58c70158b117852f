import fs from 'node:fs';
const errors = {};
for (const [name, call] of Object.entries({
  missing: () => fs.readFileSync('data/none.txt'), folder: () => fs.readFileSync('data'), list: () => fs.readdirSync('data/text.txt'),
  stat: () => fs.statSync('nowhere'),
})) {
  try { call(); } catch (error) { errors[name] = `${error.code} ${error.syscall}`; }
}
console.log(JSON.stringify({ ...errors, quiet: fs.statSync('nowhere', { throwIfNoEntry: false }) === undefined }));
