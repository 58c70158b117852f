import x from '../data/table.json';
