import { describeBitFlips } from './bit-flips.contract.ts';
import { describeTornTails } from './torn-tails.contract.ts';

describeBitFlips('file', { type: 'file' });
describeTornTails('file', { type: 'file' }, /\.(ndjson|journal)$/);
