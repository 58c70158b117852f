class Counter { #n = 0; static { Counter.ready = true; } up() { this.#n += 1; return this.#n; } }
function* walk(tree) { for (const node of tree) { yield node.name; yield* walk(node.children ?? []); } }
const groups = Object.groupBy([1, 2, 3], (n) => (n % 2 ? 'odd' : 'even'));
const { year, month } = /(?<year>\d{4})-(?<month>\d\d)/.exec('on 2024-05-06').groups;
console.log(JSON.stringify([new Counter().up(), Counter.ready, [...walk([{ name: 'a', children: [{ name: 'b' }] }])], groups.odd,
  year, month, [3, 1, 2].toSorted(), [1, 2, 3].at(-1), (2n ** 70n).toString(), 'ß'.normalize('NFD'), 0.1 + 0.2, new Set([1]).union(new Set([2])).size]));
