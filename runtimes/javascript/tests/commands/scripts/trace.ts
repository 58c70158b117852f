interface Long {
  a: string;
  b: number;
}
type Alias =
  | 'x'
  | 'y';

function fails(value: Long): never {
  throw new Error(`bad ${value.b}`);
}
fails({ a: '', b: 2 });
