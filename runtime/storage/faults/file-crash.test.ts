import { describeCrashes } from './crash.contract.ts';
import { describePowerCuts } from './power-cut.contract.ts';

describeCrashes('file', { type: 'file' });
describePowerCuts('file', { type: 'file' });
