import { basename, delimiter } from 'node:path';

/** Settings of ours that an agent has no use for. The keys of the model providers are not among them: agents need those. */
const OWN_SECRETS = new Set([
  'API_TOKEN',
  'REDIS_URL',
  'POSTGRES_URL',
  'POSTGRES_PASSWORD',
  'SMTP_USER',
  'SMTP_PASS',
  'ALERT_SLACK_WEBHOOK',
  'ALERT_PAGERDUTY_KEY',
]);

/** What npm tells the scripts of a package of that package; the settings of the user (`npm_config_registry` …) stay. */
const OF_NPM =
  /^(?:npm_(?:lifecycle|package)_.*|npm_(?:command|execpath|node_execpath)|npm_config_local_prefix|INIT_CWD)$/;

/**
 * What an agent, or a shell of the user, gets of our environment: all but our own secrets, and but what `npm run` put
 * there. An agent that runs `npx` or `node` would otherwise get those of our package instead of the user's.
 */
export function inheritedEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const isNpmScript = environment.npm_lifecycle_event !== undefined;
  const inherited: Record<string, string> = {};
  for (const [given, value] of Object.entries(environment)) {
    if (value === undefined || OWN_SECRETS.has(given)) continue;
    if (isNpmScript && OF_NPM.test(given)) continue;
    // Windows calls it `Path` or `PATH`, as it pleases; two of them would leave it to chance which one holds.
    const name = process.platform === 'win32' && given.toUpperCase() === 'PATH' ? 'PATH' : given;
    inherited[name] = isNpmScript && name === 'PATH' ? withoutFoldersOfNpm(value) : value;
  }
  return inherited;
}

function withoutFoldersOfNpm(path: string): string {
  return path
    .split(delimiter)
    .filter(
      (folder) => !/[\\/]node_modules[\\/]\.bin[\\/]?$/.test(folder) && basename(folder) !== 'node-gyp-bin',
    )
    .join(delimiter);
}
