import { open, stat } from 'node:fs/promises';
import Sqlite, { type Database } from 'better-sqlite3';
import { PRIVATE_FILE_MODE } from '../../base/durable-file.ts';
import { systemCodeOf } from '../../base/errors.ts';
import { fault } from '../../contract/error-codes.ts';
import { FIRST_VERSION, MIGRATIONS, SCHEMA_VERSION } from './migrations.ts';

/** "STCo" in the header of the file: says whose it is. */
const APPLICATION_ID = 0x5354436f;

/** Before 3.51.3 a checkpoint that raced a writer could damage the database (the "WAL reset" bug). */
const LEAST_SQLITE = [3, 51, 3];

/** Throws `storage.failed` when the SQLite that was loaded is too old to be trusted. */
export function assertSqliteVersion(version: string): void {
  const parts = version.split('.').map(Number);
  for (const [i, least] of LEAST_SQLITE.entries()) {
    const part = parts[i] ?? 0;
    if (part > least) return;
    if (part < least) {
      throw fault(
        'storage.failed',
        `SQLite ${version} has a fault that can damage data; ${LEAST_SQLITE.join('.')} or later is needed.`,
        { version },
      );
    }
  }
}

/** Creates a data file with mode 0600 and the current schema. Rejects with `EEXIST` when it is there already. */
export async function createDatabase(file: string, durability: 'durable' | 'bulk'): Promise<Database> {
  await (await open(file, 'wx', PRIVATE_FILE_MODE)).close();
  const database = new Sqlite(file, { fileMustExist: true });
  try {
    // A file that is being filled is thrown away after a crash: no journal, no sync until it is sealed.
    database.pragma(`journal_mode = ${durability === 'bulk' ? 'OFF' : 'WAL'}`);
    database.pragma(`synchronous = ${durability === 'bulk' ? 'OFF' : 'FULL'}`);
    database.pragma(`application_id = ${APPLICATION_ID}`);
    migrate(database, file);
    // Or the schema would go from the WAL into the file when it is closed, where a failure is not told: what is left
    // would be taken for somebody else's file.
    if (durability === 'durable') database.pragma('wal_checkpoint(TRUNCATE)');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * Opens the data file for writing: WAL, a sync before every commit is answered, schema brought up to date. Rejects before
 * anything is touched: with `storage.newer_version`, with `storage.failed` for a format from before the first release, and with
 * `storage.corrupt` when it is no data file of ours.
 */
export async function openDatabase(file: string): Promise<Database> {
  await checkHeader(file);
  const database = new Sqlite(file, { fileMustExist: true });
  try {
    assertSqliteVersion(String(database.prepare('SELECT sqlite_version()').pluck().get()));
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    // macOS: its fsync leaves the data in the cache of the drive.
    database.pragma('fullfsync = ON');
    database.pragma('checkpoint_fullfsync = ON');
    database.pragma('temp_store = MEMORY');
    database.pragma('cell_size_check = ON');
    database.pragma('journal_size_limit = 67108864');
    migrate(database, file);
    // What a crash left in the WAL goes into the file and is synced there. After a failed sync this is what makes the
    // next one mean something: the kernel may have forgotten that the pages of the old WAL never reached the disk.
    checkpoint(database);
    await checkPages(database, file);
    // A file that only may be read shows itself here and not at the first commit.
    database.exec('BEGIN IMMEDIATE; ROLLBACK');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** True when nothing was ever written to a data file. Rejects when it is no database at all. */
export async function isEmptyDatabase(file: string): Promise<boolean> {
  if ((await stat(file)).size === 0) return true;
  // Not for reading alone: a creation that was cut short has left a journal, which is rolled back first.
  const database = new Sqlite(file, { fileMustExist: true });
  try {
    const tables = database
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('document', 'log')")
      .pluck()
      .all() as string[];
    return tables.every((table) => database.prepare(`SELECT 1 FROM ${table} LIMIT 1`).get() === undefined);
  } finally {
    database.close();
  }
}

/**
 * A second view of a data file. `waitMs` is how long it waits for somebody who has the file to himself for a moment (one who
 * opens it, say) before it throws `SQLITE_BUSY`.
 */
export function openForReading(file: string, waitMs = 5_000): Database {
  return new Sqlite(file, { readonly: true, fileMustExist: true, timeout: waitMs });
}

function checkpoint(database: Database): void {
  try {
    database.pragma('wal_checkpoint(TRUNCATE)');
  } catch (error) {
    // A full disk leaves the WAL as it is, whole and synced: reading goes on, and a commit will say that it is full.
    if (systemCodeOf(error) !== 'SQLITE_FULL') throw error;
  }
}

/**
 * Finds at once what would otherwise be found by whoever comes across it: a file that was cut short, and a table whose
 * first page is gone. Throws `storage.corrupt`, or what SQLite throws.
 */
async function checkPages(database: Database, file: string): Promise<void> {
  const size = async (path: string) => (await stat(path).catch(() => undefined))?.size ?? 0;
  const wanted =
    Number(database.pragma('page_count', { simple: true })) *
    Number(database.pragma('page_size', { simple: true }));
  // What lies in the WAL on a full disk may lie behind the end of the file.
  if ((await size(`${file}-wal`)) === 0 && (await size(file)) < wanted) {
    throw fault('storage.corrupt', `${file} was cut short. It was left as it is. Restore a backup.`, {
      file,
    });
  }
  const tables = database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0")
    .pluck()
    .all() as string[];
  for (const table of tables) database.prepare(`SELECT 1 FROM "${table}" LIMIT 1`).get();
}

function migrate(database: Database, file: string): void {
  const found = Number(database.pragma('user_version', { simple: true }));
  checkVersion(file, found);
  for (const migration of MIGRATIONS) {
    if (migration.version <= found) continue;
    database.transaction(() => {
      database.exec(migration.sql);
      database.pragma(`user_version = ${migration.version}`);
    })();
  }
}

/** Looks at the header with the file system's eyes, because SQLite would write beside the file just by opening it. */
async function checkHeader(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    const header = Buffer.alloc(100);
    const { bytesRead } = await file.read(header, 0, 100, 0);
    const isSqlite = bytesRead === 100 && header.toString('latin1', 0, 16) === 'SQLite format 3\0';
    if (!isSqlite || header.readUInt32BE(68) !== APPLICATION_ID) {
      throw fault(
        'storage.corrupt',
        `${path} is not a data file of SmallTalk Console, or it is damaged. It was left as it is.`,
        { file: path },
      );
    }
    checkVersion(path, header.readUInt32BE(60));
  } finally {
    await file.close();
  }
}

/** 0 is the format of a file that was only just created. */
function checkVersion(file: string, found: number): void {
  if (found > SCHEMA_VERSION) {
    throw fault(
      'storage.newer_version',
      `${file} was written by a newer version of SmallTalk Console (format ${found}, this one knows ${SCHEMA_VERSION}). ` +
        'Nothing was changed: start the newer version again.',
      { file, found, known: SCHEMA_VERSION },
    );
  }
  if (found > 0 && found < FIRST_VERSION) {
    throw fault(
      'storage.failed',
      `${file} was written by a version of SmallTalk Console from before the first release (format ${found}), which this one ` +
        'cannot read. Nothing was changed: make a backup with that version and restore it into another data folder.',
      { file, found, known: SCHEMA_VERSION },
    );
  }
}
