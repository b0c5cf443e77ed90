import { join } from 'node:path';
import { makePrivateFolder, writeFileDurably } from '../base/durable-file.ts';
import { fault } from '../contract/index.ts';
import { readSettingsFile } from './read-settings-file.ts';

/**
 * Changes some settings of `settings.json` of the data folder and keeps the others; null takes one out. Atomic and
 * durable, mode 0600, since there are passwords in it: afterwards, and whenever the power fails, the file is the old one
 * or the new one. Rejects with `settings.invalid` when what is there cannot be read, and with `storage.failed` when the
 * file could not be written and still is the old one.
 */
export async function writeSettingsFile(
  dataDir: string,
  changes: Readonly<Record<string, string | null>>,
): Promise<void> {
  const path = join(dataDir, 'settings.json');
  const settings: Record<string, unknown> = { ...(await readSettingsFile(dataDir)) };
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) delete settings[name];
    else settings[name] = value;
  }
  try {
    await makePrivateFolder(dataDir);
    await writeFileDurably(path, `${JSON.stringify(settings, null, 2)}\n`);
  } catch (error) {
    const found = await readSettingsFile(dataDir).catch(() => undefined);
    const written = Object.entries(changes).every(([name, value]) => (found?.[name] ?? null) === value);
    // The rename went through and only the last sync did not: whoever reads the file from now on finds the new settings.
    if (written) return;
    throw fault(
      'storage.failed',
      `The settings file ${path} could not be written. Nothing was changed.`,
      {},
      {
        cause: error,
      },
    );
  }
}
