import missing from 'not-a-package';
