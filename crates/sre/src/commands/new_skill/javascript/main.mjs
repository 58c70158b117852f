// Puts its input into an object under "echo".

import { readFileSync } from "node:fs";

function run(data) {
  return { echo: data };
}

const input = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(run(input)));
