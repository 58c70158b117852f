import { get } from 'node:http';
get('http://example.com/');
