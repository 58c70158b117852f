// Puts its input into an object under "echo".

import { readFileSync } from "node:fs";

type Input = Record<string, unknown>;

function run(data: Input): { echo: Input } {
  return { echo: data };
}

const input: Input = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(run(input)));
