import { basename, delimiter } from 'node:path';
import { definitionOf, SETTING_NAMES, type SettingName } from '../../settings/settings-schema.ts';

/** Secrets of ours that agents need: they talk to the model providers on their own. */
const FOR_AGENTS: readonly SettingName[] = ['OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY'];

/** Settings of ours that an agent has no use for. */
const OWN_SECRETS: ReadonlySet<string> = new Set(
  SETTING_NAMES.filter(
    (name) => name === 'SMTP_USER' || (definitionOf(name).secret === true && !FOR_AGENTS.includes(name)),
  ),
);

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
