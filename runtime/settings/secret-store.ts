import { chmod, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import type { Clock } from '../base/clock.ts';
import { makePrivateFolder, PRIVATE_FILE_MODE, writeFileDurably } from '../base/durable-file.ts';
import { messageOf, systemCodeOf } from '../base/errors.ts';
import { fault, variableName } from '../contract/index.ts';

/** How a value is made unreadable for whoever has only the file; on the desktop, Electron's `safeStorage`. */
export interface SecretProtection {
  encrypt(text: string): Buffer;
  /** Throws when it was not encrypted here. */
  decrypt(encrypted: Buffer): string;
}

export interface KeptSecret {
  name: string;
  /** Milliseconds since the Unix epoch. */
  updatedAt: number;
}

/**
 * The secrets of the user, by name. They lie in a file of their own, mode 0600, and never in the storage: so they are in
 * no backup, and in no data set that is moved elsewhere. Every call reads the file, so that there is no second truth.
 * Rejects with `secret.unreadable` when the file is damaged, which is then left as it is, or `storage.failed` when it
 * could not be written, which then is as it was.
 */
export interface SecretStore {
  /** `system`: what is set from now on is encrypted by the keychain of the desktop. */
  readonly protection: 'file' | 'system';
  /** By name. */
  list(): Promise<KeptSecret[]>;
  /** Undefined when there is none. Rejects with `secret.unreadable` also when only this one cannot be decrypted. */
  get(name: string): Promise<string | undefined>;
  /** Adds or replaces. Resolves when it is durable. */
  set(name: string, value: string): Promise<KeptSecret>;
  /** Rejects with `secret.not_found`. */
  delete(name: string): Promise<void>;
}

const kept = z.union([
  z.strictObject({ name: variableName, updatedAt: z.int().nonnegative(), value: z.string() }),
  z.strictObject({ name: variableName, updatedAt: z.int().nonnegative(), encrypted: z.base64() }),
]);
type Kept = z.infer<typeof kept>;
const content = z.strictObject({ format: z.literal(1), secrets: z.array(kept) });

/** `file`: absolute; it and its folder are made with the first secret. */
export function createSecretStore(options: {
  file: string;
  clock: Pick<Clock, 'now'>;
  protection?: SecretProtection;
}): SecretStore {
  const { file, clock, protection } = options;
  let changing: Promise<unknown> = Promise.resolve();

  const unreadable = (reason: string) =>
    fault('secret.unreadable', `The secrets in ${file} cannot be used: ${reason}.`, { file });

  async function read(): Promise<Map<string, Kept>> {
    let text: string;
    try {
      text = await readFile(file, 'utf8');
      await makePrivate(file);
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT' || systemCodeOf(error) === 'ENOTDIR') return new Map();
      throw unreadable(messageOf(error));
    }
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      // The message of a SyntaxError quotes the text around the fault, which is a secret.
      throw unreadable('it is not valid JSON. Repair the file, or delete it and set them again');
    }
    const checked = content.safeParse(parsed);
    if (!checked.success) {
      const where = checked.error.issues.map(({ path }) => path.join('.')).join(', ');
      throw unreadable(`something else than secrets is in it${where === '' ? '' : ` (at ${where})`}`);
    }
    return new Map(checked.data.secrets.map((secret) => [secret.name, secret]));
  }

  async function write(entries: Map<string, Kept>): Promise<void> {
    const secrets = [...entries.values()];
    try {
      await makePrivateFolder(dirname(file));
      await writeFileDurably(file, `${JSON.stringify({ format: 1, secrets }, null, 2)}\n`);
    } catch (error) {
      throw fault('storage.failed', `The secrets could not be written to ${file}.`, {}, { cause: error });
    }
  }

  function protectedValue(value: string): { value: string } | { encrypted: string } {
    if (protection === undefined) return { value };
    try {
      return { encrypted: protection.encrypt(value).toString('base64') };
    } catch (error) {
      throw fault('storage.failed', 'The keychain did not encrypt the secret.', {}, { cause: error });
    }
  }

  /** Changes, one after the other: each writes the whole file. */
  function serially<T>(work: () => Promise<T>): Promise<T> {
    const done = changing.then(work);
    changing = done.catch(() => undefined);
    return done;
  }

  return {
    protection: protection === undefined ? 'file' : 'system',

    async list() {
      return [...(await read()).values()]
        .map(({ name, updatedAt }) => ({ name, updatedAt }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    },

    async get(name) {
      const found = (await read()).get(name);
      if (found === undefined) return undefined;
      if ('value' in found) return found.value;
      try {
        if (protection !== undefined) return protection.decrypt(Buffer.from(found.encrypted, 'base64'));
      } catch (error) {
        throw unreadable(`${name} cannot be decrypted by the keychain (${messageOf(error)}). Set it again`);
      }
      throw unreadable(
        `${name} is encrypted by the keychain of the desktop app. Set it again to use it here`,
      );
    },

    set: (name, value) =>
      serially(async () => {
        const entries = await read();
        const updatedAt = clock.now();
        entries.set(name, { name, updatedAt, ...protectedValue(value) });
        await write(entries);
        return { name, updatedAt };
      }),

    delete: (name) =>
      serially(async () => {
        const entries = await read();
        if (!entries.delete(name)) throw fault('secret.not_found', `There is no secret ${name}.`, { name });
        await write(entries);
      }),
  };
}

/** A file that was copied here, or restored, may have come with a mode that lets others read it. */
async function makePrivate(file: string): Promise<void> {
  if (process.platform === 'win32') return;
  const { mode } = await stat(file);
  if ((mode & 0o077) !== 0) await chmod(file, PRIVATE_FILE_MODE);
}
