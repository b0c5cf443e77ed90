import { randomBytes } from 'node:crypto';
import { chmod, link, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createPrivateFile, makePrivateFolder, PRIVATE_FILE_MODE, syncFolder } from '../base/durable-file.ts';
import { isCoded, messageOf, systemCodeOf } from '../base/errors.ts';
import { fault } from '../contract/index.ts';

/** What a header, a cookie and a URL can all carry as it is, and long enough not to be guessed. */
const TOKEN = /^[A-Za-z0-9._~-]{16,256}$/;
const TOKEN_BYTES = 32;

/**
 * The token that callers need: `apiToken` when it is set, else what is in `<dataDir>/token`, which is made at the first
 * start (256 random bits, mode 0600, atomically: two processes that start at once get the same one). Rejects with
 * `settings.invalid` when the file holds no usable token, `storage.read_only`, `storage.full` or `storage.failed` when it
 * cannot be read or made.
 */
export async function loadOrCreateToken(dataDir: string, apiToken?: string): Promise<string> {
  if (apiToken !== undefined) return apiToken;
  const path = join(dataDir, 'token');
  try {
    return (await readToken(path)) ?? (await createToken(dataDir, path));
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === undefined || isCoded(error)) throw error;
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      throw fault(
        'storage.full',
        `There is no space for the token file ${path}.`,
        { path },
        { cause: error },
      );
    }
    const readOnly = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
    throw fault(
      readOnly ? 'storage.read_only' : 'storage.failed',
      `The token file ${path} cannot be read or written: ${messageOf(error)}. Set DATA_DIR to a folder of yours, or set API_TOKEN.`,
      { path },
      { cause: error },
    );
  }
}

async function readToken(path: string): Promise<string | undefined> {
  let text: string;
  try {
    text = (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  if (!TOKEN.test(text)) {
    const allowed = '16 to 256 letters, digits, dots, dashes, underscores and tildes';
    const message = `The token in ${path} cannot be used: it must be ${allowed}. Delete the file to get a new one.`;
    throw fault('settings.invalid', message, {
      faults: [{ variable: 'token', got: '••••••••', allowed, message }],
    });
  }
  // It may have been put there by hand, or restored from somewhere.
  await chmod(path, PRIVATE_FILE_MODE).catch(() => undefined);
  return text;
}

async function createToken(dataDir: string, path: string): Promise<string> {
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  await makePrivateFolder(dataDir);
  const temporary = join(dataDir, `.token.${randomBytes(8).toString('hex')}.tmp`);
  try {
    const file = await createPrivateFile(temporary);
    try {
      await file.writeFile(`${token}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    // Unlike a rename, a link never replaces the token that another process has made in the meantime.
    await link(temporary, path);
    await syncFolder(dataDir);
    return token;
  } catch (error) {
    if (systemCodeOf(error) !== 'EEXIST') throw error;
    return (await readToken(path)) ?? (await createToken(dataDir, path));
  } finally {
    await rm(temporary, { force: true });
  }
}
