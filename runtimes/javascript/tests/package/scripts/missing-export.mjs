import { three } from './lib/double.mjs';
