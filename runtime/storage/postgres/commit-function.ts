import { byteChanges } from './record-checksum.ts';

/** Raised inside the commit functions; never seen by a caller. */
const CONFLICT_STATE = 'ST409';
/** The state of the warning by which they tell of a damaged record; its message is the name of the record. */
export const DAMAGED_STATE = 'STDMG';

/** Kinds of operations as the functions know them. */
export const OPERATION = { put: 1, delete: 2, append: 3, trim: 4 } as const;

/** Slots in which the last commits of a writer are remembered; number modulo this is the slot. */
export const COMMIT_SLOTS = 1_024;

const table = (behind: number) => `('[0:255]={${byteChanges(behind).join(',')}}'::bigint[])`;
const change = (number: string, behind: number, shift: number) =>
  `${table(behind)}[${shift === 0 ? number : `(${number} >> ${shift})`} & 255]`;
const changes = (number: string, from: number, to: number, behind: number) =>
  Array.from({ length: to - from }, (_, i) => change(number, behind + from + i, 8 * (from + i))).join(' # ');

/** No time that JavaScript can hold. */
const NEVER = '9007199254740992';

/**
 * What the server does for a commit. All tables are found by the search path of the connection, so that the same functions
 * serve every schema that they are made in.
 */
export const COMMIT_FUNCTIONS = `
-- What the upper five bytes of a number in the last eight bytes change of a CRC-32. In plpgsql, and the rarely called part
-- of the two below: those are put into the statements that call them, where every lookup costs at each start.
CREATE FUNCTION smalltalk_upper_crc(n bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RETURN ${changes('n', 3, 8, 0)};
END $$;

-- What a time, eight bytes further to the front, changes.
CREATE FUNCTION smalltalk_expiry_crc(expires_at bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RETURN ${changes('expires_at', 0, 8, 8)};
END $$;

-- What a number in the last eight bytes changes of a CRC-32.
CREATE FUNCTION smalltalk_number_crc(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ${changes('n', 0, 3, 0)} # CASE WHEN n >> 24 = 0 THEN 0 ELSE smalltalk_upper_crc(n) END
$$;

-- Guards the two columns of a document that the server itself goes by.
CREATE FUNCTION smalltalk_head_crc(version bigint, expires_at bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT smalltalk_number_crc(version) # CASE WHEN expires_at IS NULL THEN smalltalk_expiry_crc(${NEVER}) ELSE smalltalk_expiry_crc(expires_at) END
$$;

-- Takes a damaged document out of everybody's way; nothing of it is lost.
CREATE FUNCTION smalltalk_set_document_aside(p_generation integer, p_collection text, p_id text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO smalltalk_damaged (record, columns, json)
    SELECT 'document ' || collection || '/' || id,
      concat_ws(' ', generation, version, expires_at, head_crc, crc, fields), json
    FROM smalltalk_documents WHERE generation = p_generation AND collection = p_collection AND id = p_id;
  DELETE FROM smalltalk_fields WHERE generation = p_generation AND collection = p_collection AND id = p_id;
  DELETE FROM smalltalk_documents WHERE generation = p_generation AND collection = p_collection AND id = p_id;
END $$;

-- Where a log goes on whose counter is not there or failed its checksum: behind all that is known. A counter in the upper
-- half of what is possible is taken for a flipped bit.
CREATE FUNCTION smalltalk_mended_sequence(p_generation integer, p_log text, p_stored bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  greatest_entry bigint;
BEGIN
  SELECT max(sequence) INTO greatest_entry FROM smalltalk_entries WHERE generation = p_generation AND log = p_log;
  IF p_stored IS NOT NULL THEN
    RAISE WARNING USING ERRCODE = '${DAMAGED_STATE}', MESSAGE = 'log ' || p_log;
    IF p_stored < 0 OR p_stored > 137438953471 THEN p_stored := 0; END IF;
  END IF;
  RETURN greatest(coalesce(p_stored, 0), coalesce(greatest_entry, 0));
END $$;

-- Carries out the operations p_from to p_to. Answers the number of each, then the counters of all logs.
CREATE FUNCTION smalltalk_apply(
  g integer, p_at bigint, p_from integer, p_to integer,
  p_kinds integer[], p_names text[], p_ids text[], p_jsons text[], p_arguments bigint[], p_expiries bigint[],
  p_crcs bigint[], p_fields text[], p_logs integer[], p_counters bigint[],
  p_field_ends integer[], p_field_names text[], p_keys bytea[], p_fulls bytea[], p_foldeds bytea[]
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
  numbers bigint[] := '{}';
  n bigint;
  there boolean;
  whole boolean;
  old_version bigint;
  old_expiry bigint;
  old_fields text;
  first_field integer;
BEGIN
  FOR i IN p_from .. p_to LOOP
    IF p_kinds[i] = ${OPERATION.append} THEN
      n := p_counters[p_logs[i]] + 1;
      p_counters[p_logs[i]] := n;
      INSERT INTO smalltalk_entries (generation, log, sequence, at, crc, json)
        VALUES (g, p_names[i], n, p_at, p_crcs[i] # smalltalk_number_crc(n), p_jsons[i]);
    ELSIF p_kinds[i] = ${OPERATION.trim} THEN
      DELETE FROM smalltalk_entries WHERE generation = g AND log = p_names[i] AND sequence <= p_arguments[i];
      n := 0;
    ELSE
      SELECT d.version, d.expires_at, d.fields, d.head_crc = smalltalk_head_crc(d.version, d.expires_at)
        INTO old_version, old_expiry, old_fields, whole
        FROM smalltalk_documents d WHERE d.generation = g AND d.collection = p_names[i] AND d.id = p_ids[i];
      there := FOUND;
      IF there AND NOT whole THEN
        RAISE WARNING USING ERRCODE = '${DAMAGED_STATE}', MESSAGE = 'document ' || p_names[i] || '/' || p_ids[i];
        PERFORM smalltalk_set_document_aside(g, p_names[i], p_ids[i]);
        there := false;
      END IF;
      n := CASE WHEN there AND (old_expiry IS NULL OR old_expiry > p_at) THEN old_version ELSE 0 END;
      IF p_arguments[i] <> n THEN
        RAISE EXCEPTION USING ERRCODE = '${CONFLICT_STATE}', MESSAGE = i || ' ' || n;
      END IF;
      IF p_kinds[i] = ${OPERATION.put} THEN
        n := n + 1;
        first_field := 1 + CASE WHEN i = 1 THEN 0 ELSE p_field_ends[i - 1] END;
        IF there THEN
          UPDATE smalltalk_documents SET version = n, expires_at = p_expiries[i],
              head_crc = smalltalk_head_crc(n, p_expiries[i]), crc = p_crcs[i] # smalltalk_number_crc(n),
              fields = p_fields[i], shape = array_to_string(p_field_names[first_field : p_field_ends[i]], ','),
              json = p_jsons[i]
            WHERE generation = g AND collection = p_names[i] AND id = p_ids[i];
        ELSE
          old_fields := '';
          INSERT INTO smalltalk_documents
              (generation, collection, id, version, expires_at, head_crc, crc, fields, shape, json)
            VALUES (g, p_names[i], p_ids[i], n, p_expiries[i], smalltalk_head_crc(n, p_expiries[i]),
              p_crcs[i] # smalltalk_number_crc(n), p_fields[i],
              array_to_string(p_field_names[first_field : p_field_ends[i]], ','), p_jsons[i]);
        END IF;
        IF old_fields <> p_fields[i] THEN
          IF old_fields <> '' THEN
            DELETE FROM smalltalk_fields WHERE generation = g AND collection = p_names[i] AND id = p_ids[i]
              AND field <> ALL (p_field_names[first_field : p_field_ends[i]]);
          END IF;
          INSERT INTO smalltalk_fields AS f (generation, collection, id, field, key, "full", folded)
            SELECT g, p_names[i], p_ids[i], p_field_names[k], p_keys[k], p_fulls[k], p_foldeds[k]
            FROM generate_series(first_field, p_field_ends[i]) k
            ON CONFLICT (generation, collection, id, field) DO UPDATE
              SET key = excluded.key, "full" = excluded."full", folded = excluded.folded
              WHERE (f.key, f."full", f.folded) IS DISTINCT FROM (excluded.key, excluded."full", excluded.folded);
        END IF;
      ELSE
        IF there THEN
          DELETE FROM smalltalk_documents WHERE generation = g AND collection = p_names[i] AND id = p_ids[i];
          IF old_fields <> '' THEN
            DELETE FROM smalltalk_fields WHERE generation = g AND collection = p_names[i] AND id = p_ids[i];
          END IF;
        END IF;
        n := 0;
      END IF;
    END IF;
    numbers := numbers || n;
  END LOOP;
  RETURN numbers || p_counters;
END $$;

-- Guards what is remembered of a commit.
CREATE FUNCTION smalltalk_commit_check(writer text, number bigint, at bigint, generation text, numbers text)
RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT sha256(convert_to(concat_ws(' ', writer, number, at, generation, numbers), 'UTF8'))
$$;

-- Carries out several commits in one transaction, each all or nothing, and remembers the answer of each. Answers one line
-- a commit: "done <at> <generation> <numbers>", "conflict <operation> <version>" or "damaged".
CREATE FUNCTION smalltalk_commit(
  p_at bigint, p_writers text[], p_commit_numbers bigint[], p_ends integer[], p_guarded boolean[],
  p_kinds integer[], p_names text[], p_ids text[], p_jsons text[], p_arguments bigint[], p_expiries bigint[],
  p_crcs bigint[], p_fields text[], p_logs integer[], p_log_names text[], p_log_crcs bigint[],
  p_field_ends integer[], p_field_names text[], p_keys bytea[], p_fulls bytea[], p_foldeds bytea[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  g integer;
  generation_id text;
  counters bigint[] := '{}';
  began bigint[];
  known record;
  answer bigint[];
  line text;
  lines text[] := '{}';
  first integer := 1;
  size integer;
BEGIN
  PERFORM pg_advisory_xact_lock(smalltalk_lock());
  SELECT s.active, s.active_id INTO STRICT g, generation_id FROM smalltalk_state s;
  FOR l IN 1 .. cardinality(p_log_names) LOOP
    SELECT c.last_sequence, c.crc = (p_log_crcs[l] # smalltalk_number_crc(c.last_sequence)) AS whole INTO known
      FROM smalltalk_logs c WHERE c.generation = g AND c.name = p_log_names[l];
    counters[l] := CASE WHEN known.whole THEN known.last_sequence
      ELSE smalltalk_mended_sequence(g, p_log_names[l], known.last_sequence) END;
  END LOOP;
  began := counters;
  FOR c IN 1 .. cardinality(p_ends) LOOP
    size := p_ends[c] - first + 1;
    SELECT r.at, r.generation, r.numbers,
        r.digest = smalltalk_commit_check(r.writer, r.number, r.at, r.generation, r.numbers) AS whole INTO known
      FROM smalltalk_commits r
      WHERE r.writer = p_writers[c] AND r.slot = (p_commit_numbers[c] & ${COMMIT_SLOTS - 1})::integer
        AND r.number = p_commit_numbers[c];
    IF FOUND THEN
      line := CASE WHEN known.whole THEN concat_ws(' ', 'again', known.at, known.generation, known.numbers)
        ELSE 'damaged' END;
    ELSE
      IF p_guarded[c] THEN
        -- A block of its own, so that a conflict takes back this commit alone.
        BEGIN
          answer := smalltalk_apply(g, p_at, first, p_ends[c], p_kinds, p_names, p_ids, p_jsons, p_arguments,
            p_expiries, p_crcs, p_fields, p_logs, counters, p_field_ends, p_field_names, p_keys, p_fulls, p_foldeds);
        EXCEPTION WHEN SQLSTATE '${CONFLICT_STATE}' THEN
          answer := NULL;
          line := 'conflict ' || SQLERRM;
        END;
      ELSE
        answer := smalltalk_apply(g, p_at, first, p_ends[c], p_kinds, p_names, p_ids, p_jsons, p_arguments,
          p_expiries, p_crcs, p_fields, p_logs, counters, p_field_ends, p_field_names, p_keys, p_fulls, p_foldeds);
      END IF;
      IF answer IS NOT NULL THEN
        IF cardinality(counters) > 0 THEN counters := answer[size + 1 :]; END IF;
        line := coalesce(array_to_string(answer[1 : size], ','), '');
        INSERT INTO smalltalk_commits AS r (writer, slot, number, at, generation, numbers, digest)
          VALUES (p_writers[c], (p_commit_numbers[c] & ${COMMIT_SLOTS - 1})::integer, p_commit_numbers[c], p_at,
            generation_id, line,
            smalltalk_commit_check(p_writers[c], p_commit_numbers[c], p_at, generation_id, line))
          ON CONFLICT (writer, slot) DO UPDATE SET number = excluded.number, at = excluded.at,
            generation = excluded.generation, numbers = excluded.numbers, digest = excluded.digest;
        line := concat_ws(' ', 'done', p_at, generation_id, line);
      END IF;
    END IF;
    lines := lines || line;
    first := p_ends[c] + 1;
  END LOOP;
  FOR l IN 1 .. cardinality(p_log_names) LOOP
    IF counters[l] <> began[l] THEN
      INSERT INTO smalltalk_logs AS c (generation, name, last_sequence, crc)
        VALUES (g, p_log_names[l], counters[l], p_log_crcs[l] # smalltalk_number_crc(counters[l]))
        ON CONFLICT (generation, name) DO UPDATE SET last_sequence = excluded.last_sequence, crc = excluded.crc;
    END IF;
  END LOOP;
  RETURN array_to_string(lines, E'\\n');
END $$;

-- The same for what most commits are: puts of documents that are named once among them, and appends. It works on all at a
-- time. Answers "<generation> <versions before> <counters before>"; or nothing, having written nothing, when one was
-- carried out before, conflicts, meets a damaged number, or changes which fields a document has: then it takes the other.
CREATE FUNCTION smalltalk_write(
  p_at bigint, p_fresh boolean, p_writers text[], p_commit_numbers bigint[], p_ends integer[],
  p_op_documents integer[], p_op_logs integer[], p_op_offsets integer[],
  p_collections text[], p_ids text[], p_jsons text[], p_expected bigint[], p_expiries bigint[], p_crcs bigint[],
  p_fields text[], p_shapes text[],
  p_log_names text[], p_log_crcs bigint[], p_log_counts integer[],
  p_entry_logs integer[], p_entry_offsets integer[], p_entry_crcs bigint[], p_entry_jsons text[],
  p_field_documents integer[], p_members text[], p_field_names text[], p_keys bytea[], p_fulls bytea[],
  p_foldeds bytea[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  g integer;
  generation_id text;
  irregular boolean;
  versions bigint[];
  -- What is to be done to the index fields of each document: 0 nothing, 1 they are new, 2 they changed.
  changes integer[];
  -- The members of the index fields that each had, each between commas.
  formers text[];
  counters bigint[];
  answers text[] := '{}';
  answer text;
  op integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(smalltalk_lock());
  IF NOT p_fresh THEN
    -- OFFSET 0, here and below: one look by the key for each, whatever the planner thinks of their number.
    PERFORM FROM generate_series(1, cardinality(p_writers)) i WHERE EXISTS (
      SELECT FROM smalltalk_commits r WHERE r.writer = p_writers[i]
        AND r.slot = (p_commit_numbers[i] & ${COMMIT_SLOTS - 1})::integer AND r.number = p_commit_numbers[i] OFFSET 0);
    IF FOUND THEN RETURN NULL; END IF;
  END IF;
  -- One statement for all that is to be known, as one below writes almost all: to begin one takes longer than its work.
  SELECT s.active, s.active_id, o.versions, o.changes, o.formers, o.irregular IS TRUE OR l.irregular IS TRUE, l.counters
    INTO STRICT g, generation_id, versions, changes, formers, irregular, counters
    FROM smalltalk_state s CROSS JOIN LATERAL (
      SELECT array_agg(r.current) AS versions, array_agg(r.change) AS changes, array_agg(r.former) AS formers,
        bool_or(r.current <> r.expected OR r.damaged OR r.change = 3) AS irregular
      FROM (
        SELECT p_expected[i] AS expected,
          CASE WHEN d.id IS NULL OR d.expires_at <= p_at THEN 0 ELSE d.version END AS current,
          coalesce(d.head_crc <> smalltalk_head_crc(d.version, d.expires_at), false) AS damaged,
          CASE WHEN coalesce(d.fields, '') = p_fields[i] THEN 0 WHEN coalesce(d.fields, '') = '' THEN 1
            WHEN d.shape = p_shapes[i] THEN 2 ELSE 3 END AS change,
          coalesce(',' || substr(d.fields, 2, greatest(length(d.fields) - 2, 0)) || ',', '') AS former
        FROM generate_series(1, cardinality(p_ids)) i
          LEFT JOIN smalltalk_documents d
            ON d.generation = s.active AND d.collection = p_collections[i] AND d.id = p_ids[i]
        ORDER BY i
      ) r
    ) o CROSS JOIN LATERAL (
      SELECT array_agg(coalesce(c.last_sequence, (SELECT coalesce(max(e.sequence), 0) FROM smalltalk_entries e
            WHERE e.generation = s.active AND e.log = p_log_names[i])) ORDER BY i) AS counters,
        bool_or(c.crc <> (p_log_crcs[i] # smalltalk_number_crc(c.last_sequence))) AS irregular
      FROM generate_series(1, cardinality(p_log_names)) i
        LEFT JOIN smalltalk_logs c ON c.generation = s.active AND c.name = p_log_names[i]
    ) l;
  IF irregular THEN RETURN NULL; END IF;

  FOR c IN 1 .. cardinality(p_ends) LOOP
    answer := '';
    WHILE op < p_ends[c] LOOP
      op := op + 1;
      answer := answer || CASE WHEN p_op_documents[op] > 0 THEN versions[p_op_documents[op]] + 1
        ELSE counters[p_op_logs[op]] + p_op_offsets[op] END || ',';
    END LOOP;
    answers := answers || rtrim(answer, ',');
  END LOOP;
  WITH remembered AS (
    INSERT INTO smalltalk_commits AS r (writer, slot, number, at, generation, numbers, digest)
      SELECT p_writers[i], (p_commit_numbers[i] & ${COMMIT_SLOTS - 1})::integer, p_commit_numbers[i], p_at,
        generation_id, answers[i],
        smalltalk_commit_check(p_writers[i], p_commit_numbers[i], p_at, generation_id, answers[i])
      FROM generate_series(1, cardinality(p_writers)) i
      ON CONFLICT (writer, slot) DO UPDATE SET number = excluded.number, at = excluded.at,
        generation = excluded.generation, numbers = excluded.numbers, digest = excluded.digest
  ), put AS (
    INSERT INTO smalltalk_documents AS d
        (generation, collection, id, version, expires_at, head_crc, crc, fields, shape, json)
      SELECT g, p_collections[u.i], p_ids[u.i], u.version, u.expires_at, smalltalk_head_crc(u.version, u.expires_at),
        p_crcs[u.i] # smalltalk_number_crc(u.version), p_fields[u.i], p_shapes[u.i], p_jsons[u.i]
      FROM (SELECT i, versions[i] + 1 AS version, p_expiries[i] AS expires_at
        FROM generate_series(1, cardinality(p_ids)) i OFFSET 0) u
      ON CONFLICT (generation, collection, id) DO UPDATE SET version = excluded.version,
        expires_at = excluded.expires_at, head_crc = excluded.head_crc, crc = excluded.crc,
        fields = excluded.fields, shape = excluded.shape, json = excluded.json
  ), appended AS (
    INSERT INTO smalltalk_entries (generation, log, sequence, at, crc, json)
      SELECT g, p_log_names[p_entry_logs[u.i]], u.n, p_at, p_entry_crcs[u.i] # smalltalk_number_crc(u.n),
        p_entry_jsons[u.i]
      FROM (SELECT i, counters[p_entry_logs[i]] + p_entry_offsets[i] AS n
        FROM generate_series(1, cardinality(p_entry_logs)) i OFFSET 0) u
  )
  INSERT INTO smalltalk_logs AS c (generation, name, last_sequence, crc)
    SELECT g, p_log_names[u.i], u.n, p_log_crcs[u.i] # smalltalk_number_crc(u.n)
    FROM (SELECT i, counters[i] + p_log_counts[i] AS n
      FROM generate_series(1, cardinality(p_log_names)) i OFFSET 0) u
    ON CONFLICT (generation, name) DO UPDATE SET last_sequence = excluded.last_sequence, crc = excluded.crc;
  IF 1 = ANY (changes) OR 2 = ANY (changes) THEN
    -- Fields that stayed as they were are left out by the text of the former ones, without a look at their rows.
    INSERT INTO smalltalk_fields AS f (generation, collection, id, field, key, "full", folded)
      SELECT g, p_collections[p_field_documents[k]], p_ids[p_field_documents[k]], p_field_names[k], p_keys[k],
        p_fulls[k], p_foldeds[k]
      FROM generate_series(1, cardinality(p_keys)) k
      WHERE changes[p_field_documents[k]] > 0 AND strpos(formers[p_field_documents[k]], p_members[k]) = 0
      ON CONFLICT (generation, collection, id, field) DO UPDATE
        SET key = excluded.key, "full" = excluded."full", folded = excluded.folded;
  END IF;
  RETURN concat(generation_id, ' ', array_to_string(versions, ','), ' ', array_to_string(counters, ','));
END $$;
`;
