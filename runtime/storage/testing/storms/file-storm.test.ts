import { describeStorm } from './storm.contract.ts';

describeStorm('file');
