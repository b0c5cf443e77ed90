import { describeWithServers } from '../servers/describe-with-servers.ts';
import { describeStorm } from './storm.contract.ts';

describeWithServers(['postgres'], 'PostgreSQL', () => describeStorm('postgres'));
