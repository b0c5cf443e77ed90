import { describeFailingCalls } from './failing-calls.contract.ts';
import { describeSmallDisks } from './small-disk.contract.ts';

describeSmallDisks('sqlite', { type: 'sqlite' });
describeFailingCalls('sqlite', { type: 'sqlite' });
