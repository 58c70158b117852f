// Counts words: JSON, a regular expression and a Map.
import { readFileSync } from "node:fs";

const { text } = JSON.parse(readFileSync(0, "utf8"));
const words = text.toLowerCase().match(/[\w']+/g) ?? [];
const counts = new Map();
for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
const top = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 10);
console.log(JSON.stringify({ total: words.length, distinct: counts.size, top }));
