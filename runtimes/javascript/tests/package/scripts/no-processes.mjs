import { execSync } from 'child_process';
