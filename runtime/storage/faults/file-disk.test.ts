import { describeFailingCalls } from './failing-calls.contract.ts';
import { describeSmallDisks } from './small-disk.contract.ts';

describeSmallDisks('file', { type: 'file' });
// A store of this kind makes ten times as many calls as a database does.
describeFailingCalls('file', { type: 'file' }, { every: 5, without: 'ftruncate' });
