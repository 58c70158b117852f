import x from '../data/broken.json' with { type: 'json' };
