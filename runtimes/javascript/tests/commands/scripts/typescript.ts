#!/usr/bin/env tsx
import * as fs from 'node:fs';
import type { Stats } from 'node:fs';
import { join, type ParsedPath } from 'path';
import { area, Shape } from './typed/shapes';
import Greeter, { type Greeting } from './typed/greeter.js';
import { total } from './typed/sums/index';
import { folder } from './typed/sums';
import data from './lib/data.json' with { type: 'json' };

enum Color { Red, Green = 5, Blue }
enum Name { First = 'first', Second = `second` }
const enum Flags { None = 0, A = 1 << 0, B = 1 << 1, Both = A | B }
declare const missing: string;
declare module 'nothing' { export const x: number; }
namespace Types { export interface Inner { a: number } export type Other = Inner | null; }
interface Point<T extends number = number> { readonly x: T; y?: T; [key: string]: unknown }
type Fn = (a: number, ...rest: string[]) => asserts a is 5;
abstract class Base<T> { protected abstract name(): string; constructor(public readonly id: number, private label: string = 'none', protected value?: T) {} describe(this: Base<T>): string { return `${this.id}:${this.label}:${this.value}:${this.name()}`; } }
class Derived extends Base<string> implements Point { x!: number; declare y: number; static count: number = 0; #secret = 1; override name(): string { return 'derived'; } get secret(): number { return this.#secret; } method<U,>(u: U): U { return u!; } }
function overload(a: string): string; function overload(a: number): number; function overload(a: any) { return a; }
const generic = <T,>(value: T): T => value;
const cast = ({ a: 1 } as unknown as Point).x ?? (<any>'old');
const satisfied = { k: 1 } satisfies Record<string, number>;
let definite!: number; definite = 3;
const point: Point = { x: 1 };
const optional = point?.y!;
label: for (const key in { a: 1 }) { if (key === 'a') continue label; }
console.log(Color.Red, Color[5], Color.Blue, Name.Second, Flags.Both, Object.keys(Color).length, typeof missing);
console.log(new Derived(1, 'l', 'v').describe(), new Derived(2).secret, overload('o') + generic<number>(4), cast, satisfied, definite, optional, Derived.count);
console.log(area({ kind: 'square', side: 3 }), Shape.Circle, new Greeter('Ada').greet(), total(1, 2, 3), folder, data.v, join('a', 'b'), process.argv.slice(2));
const stats: Stats = fs.statSync('.'); const parsed: Partial<ParsedPath> = {}; const greeting: Greeting = 'hi'; const inner: Types.Inner = { a: 1 };
console.log(stats.isDirectory(), parsed, greeting, inner, 'namespace Fake { const x = 1 }');
async function main(): Promise<void> { const { later } = await import('./typed/later.mts'); console.log(await later<string>('x')); }
await main();
