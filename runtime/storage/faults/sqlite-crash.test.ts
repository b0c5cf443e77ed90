import { describeCrashes } from './crash.contract.ts';
import { describePowerCuts } from './power-cut.contract.ts';

describeCrashes('sqlite', { type: 'sqlite' });
describePowerCuts('sqlite', { type: 'sqlite' });
