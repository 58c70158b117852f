export enum Shape { Square = 'square', Circle = 'circle' }
export type Square = { kind: 'square'; side: number };
export function area(shape: Square): number { return shape.side ** 2; }
