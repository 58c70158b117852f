import fs from 'fs';
import path from 'path';
import { total } from './typed/sums';
interface Options { out: string }
function main(options: Options): void { fs.writeFileSync(options.out, path.basename(__filename).split('.')[0]); console.log(path.basename(__dirname), total(1, 2), require.main === module); }
if (require.main === module) main({ out: process.argv[2] ?? 'out.txt' });
