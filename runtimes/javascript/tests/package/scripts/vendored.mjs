import { left } from 'left';
import maps, { twice } from 'cjs-map';
import { how } from 'modern';
import five from 'modern/extra/more';
import tool from '@scope/tool';
import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
console.log(JSON.stringify([left('a', 3), twice(2), maps.data.k, how, require('modern').how, five, tool()]));
