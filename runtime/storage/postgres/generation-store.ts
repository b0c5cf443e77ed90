import type { PoolClient } from 'pg';
import { randomId, timeOrderedId } from '../../base/ids.ts';
import { fault } from '../../contract/error-codes.ts';
import { fieldsFromText, fieldsToText, type SnapshotRecordCheck } from '../checked-input.ts';
import type { Generation, SnapshotRecord } from '../storage.ts';
import { numberArray, textArray } from './array-text.ts';
import { FieldArrays } from './commit-arguments.ts';
import { WIDEST_GAP } from './commit-function.ts';
import type { Connections } from './connections.ts';
import { documentChecksum, entryChecksumsOf, logChecksum, valueChecksum } from './record-checksum.ts';

/** For so long a generation that is being built belongs to its builder without a word of it, by the server's clock. */
const LEASE = "interval '60 seconds'";
const RENEWAL_MS = 20_000;
/** Rows in one step of a removal: a step must not keep the disk from others for long. */
const REMOVED_ROWS = 5_000;

/** All that the tables take on the disk, their indexes included. */
const TABLE_BYTES = `(SELECT sum(pg_total_relation_size(t::regclass)) FROM unnest(ARRAY['smalltalk_documents',
  'smalltalk_fields', 'smalltalk_logs', 'smalltalk_entries']) t)`;

/**
 * What the active generation takes of them: all but what the others were told to take when they were sealed, or when they
 * ceased to be the active one.
 */
export const ACTIVE_BYTES = `greatest(0, ${TABLE_BYTES} - (SELECT coalesce(sum(g.bytes), 0) FROM smalltalk_generations g
  WHERE g.key <> (SELECT active FROM smalltalk_state)))`;

/** The generations in the tables, and those that this process builds. */
export class GenerationStore {
  readonly #connections: Connections;
  readonly #now: () => number;
  /** What is being built here: its key, and the timer that renews its lease. */
  readonly #building = new Map<number, NodeJS.Timeout>();
  /** A removal under way stops at its next step, and is finished by whoever opens next. */
  #closed = false;

  constructor(connections: Connections, now: () => number) {
    this.#connections = connections;
    this.#now = now;
  }

  /** Makes the first one if there is none; inside the transaction of `open`. */
  async begin(client: PoolClient): Promise<void> {
    const active = async () => (await client.query('SELECT active FROM smalltalk_state')).rows.length > 0;
    if (await active()) return;
    // There is no row yet that could be locked.
    await client.query('LOCK TABLE smalltalk_state IN SHARE ROW EXCLUSIVE MODE');
    if (await active()) return;
    const { key, id } = await this.#insert(client, 'first', true);
    await client.query('INSERT INTO smalltalk_state (active, active_id) VALUES ($1, $2)', [key, id]);
  }

  async list(): Promise<Generation[]> {
    const rows = await this.#connections.query(
      {
        name: 'smalltalk_generations',
        text: `SELECT g.id, g.created_at, g.reason, g.key = s.active, p.id, g.activated_at
          FROM smalltalk_generations g CROSS JOIN smalltalk_state s
          LEFT JOIN smalltalk_generations p ON p.key = g.previous AND NOT p.dropped
          WHERE g.sealed AND NOT g.dropped ORDER BY g.key`,
      },
      [],
    );
    return rows.map(([id, createdAt, reason, active, previous, activatedAt]) => ({
      id: id as string,
      createdAt: Number(createdAt),
      reason: reason as string,
      active: active === 't',
      ...(previous === null ? {} : { previous: previous as string }),
      ...(activatedAt === null ? {} : { activatedAt: Number(activatedAt) }),
    }));
  }

  async create(reason: string): Promise<{ key: number; id: string }> {
    await this.removeLapsed();
    const made = await this.#connections.transaction((client) => this.#insert(client, reason, false));
    const renew = () =>
      this.#connections
        .query(
          {
            name: '',
            text: `UPDATE smalltalk_generations SET leased_until = now() + ${LEASE} WHERE key = $1`,
          },
          [made.key],
        )
        // It is tried again by the next one; a lease outlives two that fail.
        .catch(() => undefined);
    const timer = setInterval(renew, RENEWAL_MS);
    timer.unref();
    this.#building.set(made.key, timer);
    return made;
  }

  /** Checks records and adds them to one that is being built; `check` has seen all those before. */
  async write(key: number, check: SnapshotRecordCheck, records: SnapshotRecord[]): Promise<void> {
    for (const record of records) check.check(record);
    try {
      await this.#connections.transaction(async (client) => {
        await lockUnsealed(client, key);
        await insertDocuments(client, key, records);
        await insertLogs(client, key, records);
      });
    } catch (error) {
      const { cause } = error as { cause?: { code?: string; detail?: string } };
      if (cause?.code !== '23505') throw error;
      throw fault('storage.invalid', `A record is there twice: ${cause.detail ?? ''}`, {}, { cause: error });
    }
  }

  async seal(key: number): Promise<void> {
    await this.#connections.transaction(async (client) => {
      await lockUnsealed(client, key);
      // Those that the last entry makes needless. A number that is far behind all others is not believed without a row.
      await client.query(
        `DELETE FROM smalltalk_logs l WHERE generation = $1 AND last_sequence < ${WIDEST_GAP} AND last_sequence =
           (SELECT max(e.sequence) FROM smalltalk_entries e WHERE e.generation = $1 AND e.log = l.name)`,
        [key],
      );
      await client.query(
        `UPDATE smalltalk_generations SET sealed = true, leased_until = NULL, bytes =
           (SELECT coalesce(sum(octet_length(json)), 0) FROM smalltalk_documents WHERE generation = $1)
           + (SELECT coalesce(sum(octet_length(json)), 0) FROM smalltalk_entries WHERE generation = $1)
         WHERE key = $1`,
        [key],
      );
    });
    this.#forget(key);
  }

  async discard(key: number): Promise<void> {
    if (!this.#building.has(key)) return;
    const gone = await this.#abandon(key);
    if (gone) await this.#remove(key);
  }

  /** The commits wait meanwhile: each is carried out wholly before or wholly after. */
  async activate(id: string): Promise<void> {
    await this.#connections.transaction(async (client) => {
      await client.query("SELECT smalltalk_take('')");
      // In the order in which a drop locks them.
      const { rows } = await client.query('SELECT active FROM smalltalk_state FOR UPDATE');
      const key = await sealedKey(client, id);
      const active = Number(rows[0]?.active);
      if (active === key) return;
      await carryCountersOver(client, active, key);
      await client.query(`UPDATE smalltalk_generations SET bytes = ${ACTIVE_BYTES} WHERE key = $1`, [active]);
      await client.query('UPDATE smalltalk_generations SET previous = $2, activated_at = $3 WHERE key = $1', [
        key,
        active,
        this.#now(),
      ]);
      await client.query('UPDATE smalltalk_state SET active = $1, active_id = $2', [key, id]);
    });
  }

  async drop(id: string): Promise<void> {
    const key = await this.#connections.transaction(async (client) => {
      // So that it is not made the active one meanwhile.
      const { rows } = await client.query('SELECT active FROM smalltalk_state FOR UPDATE');
      const sealed = await sealedKey(client, id);
      if (Number(rows[0]?.active) === sealed) {
        throw fault('storage.invalid', 'The active generation cannot be dropped.');
      }
      await client.query('UPDATE smalltalk_generations SET dropped = true WHERE key = $1', [sealed]);
      return sealed;
    });
    await this.#remove(key);
  }

  /** Removes what was dropped and not yet removed, and what was left unsealed by builders who are gone. */
  async removeLapsed(): Promise<void> {
    const rows = await this.#connections.query(
      {
        name: '',
        text: `UPDATE smalltalk_generations SET dropped = true
          WHERE dropped OR NOT sealed AND leased_until < now() RETURNING key`,
      },
      [],
    );
    for (const [key] of rows) await this.#remove(Number(key));
  }

  /** Gives up what is being built here. What there is of it, the next `open` or `create` of anybody removes. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const key of [...this.#building.keys()]) {
      // The server may be away: then the lease runs out.
      await this.#abandon(key).catch(() => undefined);
      this.#forget(key);
    }
  }

  async #insert(client: PoolClient, reason: string, sealed: boolean): Promise<{ key: number; id: string }> {
    const createdAt = this.#now();
    const id = timeOrderedId(createdAt, randomId);
    const { rows } = await client.query(
      `INSERT INTO smalltalk_generations (id, created_at, reason, sealed, leased_until)
       VALUES ($1, $2, $3, $4, CASE WHEN $4 THEN NULL ELSE now() + ${LEASE} END) RETURNING key`,
      [id, createdAt, reason, sealed],
    );
    return { key: Number(rows[0]?.key), id };
  }

  async #abandon(key: number): Promise<boolean> {
    const rows = await this.#connections.query(
      {
        name: '',
        text: 'UPDATE smalltalk_generations SET dropped = true WHERE key = $1 AND NOT sealed RETURNING key',
      },
      [key],
    );
    this.#forget(key);
    return rows.length > 0;
  }

  #forget(key: number): void {
    clearInterval(this.#building.get(key));
    this.#building.delete(key);
  }

  /** In steps of bounded size; its row goes last, so that a removal that is cut off is finished by the next one. */
  async #remove(key: number): Promise<void> {
    for (const table of ['documents', 'fields', 'logs', 'entries']) {
      const text = `WITH step AS (SELECT ctid FROM smalltalk_${table} WHERE generation = $1 LIMIT ${REMOVED_ROWS}),
          gone AS (DELETE FROM smalltalk_${table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM step)) RETURNING 1)
        SELECT count(*) FROM gone`;
      for (;;) {
        if (this.#closed) return;
        const rows = await this.#connections.query({ name: '', text }, [key]);
        if (Number(rows[0]?.[0]) < REMOVED_ROWS) break;
      }
    }
    await this.#connections.query(
      { name: '', text: 'DELETE FROM smalltalk_generations WHERE key = $1 AND dropped' },
      [key],
    );
  }
}

async function sealedKey(client: PoolClient, id: string): Promise<number> {
  const { rows } = await client.query(
    'SELECT key FROM smalltalk_generations WHERE id = $1 AND sealed AND NOT dropped FOR UPDATE',
    [id],
  );
  if (rows[0] === undefined) throw fault('storage.invalid', `There is no sealed generation ${id}.`);
  return Number(rows[0].key);
}

/** So that no number is given twice in a log, whichever generation it was given in. */
async function carryCountersOver(client: PoolClient, from: number, to: number): Promise<void> {
  const raise = `ON CONFLICT (generation, name) DO UPDATE SET last_sequence = excluded.last_sequence, crc = excluded.crc
    WHERE l.last_sequence < excluded.last_sequence`;
  await client.query(
    `INSERT INTO smalltalk_logs AS l (generation, name, last_sequence, crc)
     SELECT $1, name, last_sequence, crc FROM smalltalk_logs WHERE generation = $2 ${raise}`,
    [to, from],
  );
  const last = (
    generation: string,
  ) => `smalltalk_last_entry(${generation}, n, coalesce((SELECT c.last_sequence
    FROM smalltalk_logs c WHERE c.generation = ${generation} AND c.name = n), 0))`;
  const { rows } = await client.query<{ name: string; last: string }>(
    `SELECT n AS name, last::text FROM smalltalk_log_names($2) n CROSS JOIN LATERAL (SELECT ${last('$2')} AS last OFFSET 0) l
     WHERE last > coalesce(${last('$1')}, 0)`,
    [to, from],
  );
  await client.query(
    `INSERT INTO smalltalk_logs AS l (generation, name, last_sequence, crc)
     SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[]) ${raise}`,
    [
      to,
      textArray(rows.map(({ name }) => name)),
      numberArray(rows.map((row) => Number(row.last))),
      numberArray(rows.map((row) => logChecksum(row.name, Number(row.last)))),
    ],
  );
}

async function lockUnsealed(client: PoolClient, key: number): Promise<void> {
  const { rows } = await client.query(
    'SELECT FROM smalltalk_generations WHERE key = $1 AND NOT sealed AND NOT dropped FOR NO KEY UPDATE',
    [key],
  );
  if (rows.length === 0) throw fault('storage.invalid', 'The generation takes nothing more.');
}

async function insertDocuments(client: PoolClient, key: number, records: SnapshotRecord[]): Promise<void> {
  const documents = records
    .filter((record) => record.kind === 'document')
    .map((record) => ({
      ...record,
      fields: fieldsToText(record.index),
      expiresAt: record.expiresAt ?? null,
    }));
  if (documents.length === 0) return;
  await client.query(
    `INSERT INTO smalltalk_documents (generation, collection, id, version, expires_at, head_crc, crc, fields, shape, json)
     SELECT $1, collection, id, version, expires_at, smalltalk_head_crc(version, expires_at), crc, fields, shape, json
     FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::text[])
       d (collection, id, version, expires_at, crc, fields, shape, json)`,
    [
      key,
      textArray(documents.map(({ collection }) => collection)),
      textArray(documents.map(({ id }) => id)),
      numberArray(documents.map(({ version }) => version)),
      numberArray(documents.map(({ expiresAt }) => expiresAt)),
      numberArray(
        documents.map(({ collection, id, fields, expiresAt, json, version }) =>
          documentChecksum(collection, id, fields, expiresAt, valueChecksum(json), version),
        ),
      ),
      textArray(documents.map(({ fields }) => fields)),
      textArray(documents.map(({ fields }) => Object.keys(fieldsFromText(fields)).join(','))),
      textArray(documents.map(({ json }) => json)),
    ],
  );
  const fields = new FieldArrays();
  const owners: number[] = [];
  for (const [i, document] of documents.entries()) {
    if (document.fields === '') continue;
    fields.add(fieldsFromText(document.fields));
    while (owners.length < fields.length) owners.push(i);
  }
  if (owners.length === 0) return;
  await client.query(
    `INSERT INTO smalltalk_fields (generation, collection, id, field, key, "full", folded)
     SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::bytea[], $6::bytea[], $7::bytea[])`,
    [
      key,
      textArray(owners.map((i) => documents[i]?.collection as string)),
      textArray(owners.map((i) => documents[i]?.id as string)),
      ...fields.toArguments(),
    ],
  );
}

async function insertLogs(client: PoolClient, key: number, records: SnapshotRecord[]): Promise<void> {
  const logs = records.filter((record) => record.kind === 'log');
  if (logs.length > 0) {
    await client.query(
      `INSERT INTO smalltalk_logs (generation, name, last_sequence, crc)
       SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[])`,
      [
        key,
        textArray(logs.map(({ log }) => log)),
        numberArray(logs.map(({ lastSequence }) => lastSequence)),
        numberArray(logs.map(({ log, lastSequence }) => logChecksum(log, lastSequence))),
      ],
    );
  }
  const entries = records.filter((record) => record.kind === 'entry');
  if (entries.length === 0) return;
  await client.query(
    `INSERT INTO smalltalk_entries (generation, log, sequence, at, crc, json)
     SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[])`,
    [
      key,
      textArray(entries.map(({ log }) => log)),
      numberArray(entries.map(({ sequence }) => sequence)),
      numberArray(entries.map(({ at }) => at)),
      numberArray(
        entries.map(({ log, sequence, at, json }) =>
          entryChecksumsOf(log)(valueChecksum(json), at, sequence),
        ),
      ),
      textArray(entries.map(({ json }) => json)),
    ],
  );
}
