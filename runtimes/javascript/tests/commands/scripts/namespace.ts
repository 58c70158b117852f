// namespace Comment { const x = 1 }
export namespace Values {
  export const x: number = 1;
}
console.log(Values.x);
