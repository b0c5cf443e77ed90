/** One step of the schema; steps are never changed once released, only followed by new ones. */
export interface Migration {
  /** What `PRAGMA user_version` is afterwards, one more than before. */
  version: number;
  sql: string;
}

/** How many bits of an entry's key are its sequence; those above are the number of its log. */
export const SEQUENCE_BITS = 38;

/** The greatest number of a log: what the sequence leaves of a 63-bit key. */
export const MAXIMUM_LOG_NUMBER = 2 ** (63 - SEQUENCE_BITS) - 1;

/**
 * SQL for the key of an entry: of the log `number`, with the sequence `sequence`. Numbers are bound as floating point, and a
 * floating-point sum is not exact from 2^53 on, which is where the 32,768th log begins.
 */
export const entryKey = (number: string, sequence: string) =>
  `((${number} << ${SEQUENCE_BITS}) + CAST(${sequence} AS INTEGER))`;

/** SQL for the sequence in the column `key`. */
export const ENTRY_SEQUENCE = `(key & ${2 ** SEQUENCE_BITS - 1})`;

/** Formats before this one were never released, and cannot be read. */
export const FIRST_VERSION = 3;

export const MIGRATIONS: Migration[] = [
  {
    version: FIRST_VERSION,
    sql: `
      -- The value stands last: whoever reads only what is before it need not follow its overflow pages.
      CREATE TABLE document (
        key INTEGER PRIMARY KEY,
        collection TEXT NOT NULL,
        id TEXT NOT NULL,
        version INTEGER NOT NULL,
        fields TEXT NOT NULL,
        expires_at INTEGER,
        value_crc INTEGER NOT NULL,
        crc INTEGER NOT NULL,
        json TEXT NOT NULL
      ) STRICT;
      CREATE UNIQUE INDEX document_by_id ON document (collection, id);
      CREATE INDEX document_by_expiry ON document (expires_at) WHERE expires_at IS NOT NULL;

      -- The index fields: a row for each, in the order in which a list pages through them. "value" has no type of its own,
      -- so that numbers and text stay what they are. "folded" is the text without regard to case, where that differs.
      CREATE TABLE document_field (
        collection TEXT NOT NULL,
        field TEXT NOT NULL,
        value ANY NOT NULL,
        id TEXT NOT NULL,
        document INTEGER NOT NULL,
        folded TEXT,
        PRIMARY KEY (collection, field, value, id)
      ) STRICT, WITHOUT ROWID;

      -- A log counts on from its greatest entry or, when that is gone, from "last_sequence": no number is used twice.
      CREATE TABLE log (
        number INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        last_sequence INTEGER NOT NULL,
        crc INTEGER NOT NULL
      ) STRICT;

      -- "key" is the number of the log and the sequence in one (number << 38 | sequence): the entries of a log lie side by
      -- side, an append touches one tree at one place, and a value of up to 4 KB lies in its row. What is in a record is said
      -- in entry-text.ts.
      CREATE TABLE entry (
        key INTEGER PRIMARY KEY,
        record TEXT NOT NULL
      ) STRICT;

      -- Records that failed their checksum, as they were found: kept for whoever wants to look, never served.
      CREATE TABLE damaged (
        key INTEGER PRIMARY KEY,
        record TEXT NOT NULL,
        found_at INTEGER NOT NULL,
        columns TEXT NOT NULL,
        json BLOB
      ) STRICT;

      -- What named commits have answered: a ring for each writer (the slot is the number modulo 1024), so that it never grows.
      CREATE TABLE named_commit (
        writer TEXT NOT NULL,
        slot INTEGER NOT NULL,
        number INTEGER NOT NULL,
        at INTEGER NOT NULL,
        numbers TEXT NOT NULL,
        crc INTEGER NOT NULL,
        PRIMARY KEY (writer, slot)
      ) STRICT, WITHOUT ROWID;
    `,
  },
];

export const SCHEMA_VERSION = FIRST_VERSION + MIGRATIONS.length - 1;
