export type Greeting = 'hi' | 'hello';
export default class Greeter { constructor(private readonly name: string) {} greet(): string { return `hello ${this.name}`; } }
