import { describeBitFlips } from './bit-flips.contract.ts';
import { describeTornTails } from './torn-tails.contract.ts';

describeBitFlips('sqlite', { type: 'sqlite' });
describeTornTails('sqlite', { type: 'sqlite' }, /-wal$/);
