import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, systemCodeOf } from '../base/errors.ts';
import { fault } from '../contract/index.ts';

/**
 * The content of `settings.json` of the data folder, or undefined when there is none. Rejects with `settings.invalid` when
 * it cannot be read or is not a JSON object; what is in the object is for `loadSettings` to judge.
 */
export async function readSettingsFile(dataDir: string): Promise<Record<string, unknown> | undefined> {
  const path = join(dataDir, 'settings.json');
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT' || systemCodeOf(error) === 'ENOTDIR') return undefined;
    // The message of a SyntaxError quotes the text around the fault, which may be a key.
    const reason = error instanceof SyntaxError ? 'it is not valid JSON' : messageOf(error);
    throw unreadable(path, reason);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw unreadable(path, 'it does not hold an object of settings');
  }
  return parsed as Record<string, unknown>;
}

function unreadable(path: string, reason: string): Error {
  const message = `The settings file ${path} cannot be used: ${reason}.`;
  const allowed = 'a JSON object of settings, such as {"LOG_LEVEL": "debug"}';
  return fault('settings.invalid', message, {
    faults: [{ variable: 'settings.json', got: reason, allowed, message }],
  });
}
