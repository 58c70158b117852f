const list = [];
for (;;) list.push({ n: list.length });
